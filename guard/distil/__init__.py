"""The weights path: forget policies baked into an adapter or into whole weights.

    policies ─▶ data/ ─▶ Data(forget, retain, general)          every Row knows its policy and key
    recipe   ─▶ Parts(forget, retain, combine, sample, parameters, procedure)
    Job(model, encoder, data, parts, …) ─▶ procedure.run(job) ─▶ export: written whole, or not

A recipe (`recipes/*.yaml`) names a choice on every axis. The default procedure, `train`, runs the
`AxisStepper`: for each step of the sampler it asks the two objectives for per-row losses, gives
their means to the combiner, which owns the backward passes, and moves the weights.

To add a method, write one file in the folder of its axis; nothing else lists it:

1. a frozen dataclass of its settings with the paper's defaults (`Annotated[float, Field(gt=0)]`
   for bounds), if it has any, set as the class's `Config`;
2. a class under `@register(Axis.…, "name", source=…, faithful=…, claim=…, needs=[…])`, derived from
   the axis's base in `axes.py`, with that base's one method:
   `Objective.terms(job, batch) -> [rows]`, `Combiner.backward(job, losses, share)`,
   `Sampler.epoch(job, number)`, `Parameters.attach / reference / save`, `Procedure.run(job)`;
3. of the hooks of `part.Part` those that it needs: `prepare` (state from start model and data),
   `penalties`, `after_backward` (change `.grad`), `filter_delta` with `filters_delta = True`
   (change what the optimiser did), `after_step`, `state_dict` / `load_state_dict` (checkpoints;
   tensors and plain values only);
4. the arithmetic as a pure function of tensors, so that a test compares it, and its gradients, to
   an independent reference in float64;
5. a recipe in `recipes/` with the paper's training settings, and a row in `docs/distil.md`.

A combiner that wants the two gradients apart accumulates them itself in `backward` (with
`torch.autograd.grad` over `job.trained`) and writes `.grad` in `after_backward`. A method that
owns the loop derives from `stepper.Stepper` and is run by `trainer.Trainer(job, stepper).run()`
inside a procedure, which gives it looks at what is retained, checkpoints and the early end. A
procedure that reads only some axes says so in `uses`; one whose result is neither adapter nor
weights overrides `save`.

Heavy imports (torch) happen only here, never at the proxy's start.
"""
