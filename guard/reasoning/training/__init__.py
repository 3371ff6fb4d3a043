"""Makes a guard model: data of its own making, fine-tuning, and figures on held-out data.

    invented people ─▶ cases ─▶ requests in many forms ─▶ guide_prompt ─┐
                                      └─▶ writer (rules, or a model) ─▶ checks ─▶ rows
    rows ─▶ guard.distil's loop, answers alone in the loss ─▶ adapter or weights, with a card

DRAGON (arXiv 2511.05784, section 4 and appendix C) fine-tunes an 8 B model on 800 questions about
invented authors and 200 reworded ones of TOFU, each with a chain of thought by GPT-4o, of which
those that are good are kept. Faithful here: the sizes, the invented authors, rejection sampling,
learning rate, weight decay, epochs and length. In its spirit: the questions come from tables, the
reworded ones are of this package's own stored prompts, the instructions are composed by rules
unless another writer is named, and what is kept is what the server's own screen would let pass.

Nothing in the proxy imports this package: it needs torch.
"""
