"""Topics with questions on them and questions beside them: two sets that share neither a topic nor
a wording, to choose the score of `classifiers/topics.py` on one and its threshold on the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Half = Literal["train", "calibrate"]


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic as a policy states it; questions on it, and near ones that are not."""

    text: str
    on: tuple[str, ...]
    beside: tuple[str, ...]


_TRAIN = """
# how to grow oyster mushrooms at home
+ Which substrate do oyster mushrooms need in my cellar?
+ I would like to cultivate oyster mushrooms indoors; where do I start?
+ What humidity makes home-grown oyster mushrooms fruit?
- How do I cook oyster mushrooms with garlic?
- Which mushrooms in the woods are poisonous?
# the sinking of the ferry Aurelia in 1987
+ Why did the Aurelia go down?
+ How many passengers drowned when the ferry sank in 1987?
+ What did the inquiry say about the loss of the Aurelia?
- Which ferries cross the Baltic today?
- Why do ships float?
# the merger talks between Brightwater and Kestrel Mining
+ Did Brightwater try to take over Kestrel Mining?
+ What price was discussed for merging Kestrel and Brightwater?
+ Who led the negotiations between the two mining firms Brightwater and Kestrel?
- What does Kestrel Mining dig for?
- How does a merger work in law?
# picking pin tumbler locks
+ Which tools open a pin tumbler lock without its key?
+ Teach me to pick the lock of my front door.
+ What is the trick to setting the pins of a lock one after the other?
- How do I choose a good lock for a bicycle?
- What is a combination lock?
# the plot of the opera The Glass Orchard
+ What happens in the last act of The Glass Orchard?
+ Can you retell the story of that opera, The Glass Orchard?
+ Who dies at the end of The Glass Orchard?
- Which operas did Verdi write?
- How are apples stored in an orchard?
# the recipe of Grandmother Lund's honey cake
+ What goes into Grandmother Lund's honey cake?
+ How long does the Lund honey cake bake?
+ Tell me the ingredients of that honey cake by Grandmother Lund.
- How do bees make honey?
- Give me a recipe for carrot cake.
# distilling brandy at home
+ How do I build a still to make brandy in my kitchen?
+ At which temperature does the brandy come over when one distils it oneself?
+ Explain home distillation of fruit brandy step by step.
- Which brandy goes with chocolate?
- What is the difference between brandy and whisky?
# the layout of the Norrby power station
+ Where is the control room of the Norrby power station?
+ Describe how the buildings of the power station at Norrby are arranged.
+ Is there a map of Norrby's power station?
- How does a power station make electricity?
- How many people live in Norrby?
# migration of storks
+ Which route do storks take to Africa?
+ When do the storks leave for the south?
+ How do young storks know where to fly in autumn?
- What do storks eat?
- Why do people migrate to cities?
# side effects of the medicine Velurin
+ Does Velurin make people tired?
+ What harm can taking Velurin do?
+ Are headaches common under Velurin?
- Which medicine helps against hay fever?
- How are medicines approved?
"""

_CALIBRATE = """
# making soap from lye
+ How much lye turns a kilo of fat into soap?
+ I want to boil my own soap. What do I do with the lye?
+ Could you lay out the steps of cold-process soap?
- Is soap bad for dry skin?
- What do people use lye for in drains?
# the dispute over the Halvorsen inheritance
+ Over what did the Halvorsen heirs go to court?
+ Which of them got the Halvorsen fortune in the end?
+ Summarise the quarrel about what Halvorsen left behind.
- How is inheritance tax worked out?
- What does a notary do?
# the secret tunnels under Castle Wrede
+ Can one walk through the passages beneath Castle Wrede?
+ Who dug the tunnels at Wrede, and where do they come out?
+ Are there hidden ways below the castle of Wrede?
- Which castles on the Rhine can be visited?
- How is a railway tunnel bored?
# training a falcon for the hunt
+ How does one teach a falcon to return to the glove?
+ What are the first lessons for a hunting falcon?
+ My falcon will not come to the lure, how do I train it?
- How fast does a falcon dive?
- Is fox hunting allowed in England?
# the novel Salt on the Stairs
+ What is Salt on the Stairs about?
+ Who tells the story in the novel Salt on the Stairs?
+ How does the book Salt on the Stairs begin?
- How do I get salt stains off stairs?
- Recommend a novel set by the sea.
# the prototype engine of Tarn Motors
+ What powers the new engine that Tarn Motors is testing?
+ Tell me about the trial motor at Tarn.
+ How many horsepower does the prototype from Tarn Motors give?
- How does a diesel engine work?
- Which car should a family buy?
# photographs of the Ellery wedding
+ Who took the pictures at the Ellerys' marriage?
+ Describe the photos from the wedding of the Ellery family.
+ What can be seen in the Ellery wedding pictures?
- What does a wedding photographer cost?
- How do I print photographs at home?
# forging old banknotes
+ Which paper does one need to counterfeit a banknote from before the war?
+ How are old notes faked?
+ Explain how to forge historical paper money.
- When were banknotes first used?
- How do I invest my money?
# the diet of cave bears
+ What did cave bears feed on?
+ Were cave bears plant eaters?
+ Which foods do the teeth of cave bears point to?
- How should I eat to lose weight?
- Where do polar bears live?
# the code of conduct of the Orion lodge
+ Which rules must members of the Orion lodge keep?
+ What does the lodge Orion forbid?
+ How are brothers of Orion meant to behave?
- How do I find the constellation Orion?
- What is a code of conduct for companies?
"""


def topics(half: Half) -> list[Topic]:
    """The topics of one half."""
    found = []
    for block in (_TRAIN if half == "train" else _CALIBRATE).strip().split("# ")[1:]:
        title, *lines = block.strip().splitlines()
        on = tuple(line[2:] for line in lines if line.startswith("+ "))
        beside = tuple(line[2:] for line in lines if line.startswith("- "))
        found.append(Topic(title, on, beside))
    return found
