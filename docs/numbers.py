"""What README.md says in numbers, block by block.

``{squares.dominance.dead_units:.1f}`` is that metric of that experiment over seeds, with its interval: ``43.2
[37.1, 49.3]``; ``.mean``, ``.low``, ``.high``, ``.p`` … are its parts. In a table with a column for each experiment
the experiment is ``{it}``. How the numbers come into README.md: :mod:`docs.readme`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from docs.readme import Measured, Number, paragraph, table

SQUARES = (
    (
        "Every seed learns the task",
        "probe accuracy {squares.training.probe_accuracy:.3f}",
    ),
    (
        "Most hidden units never act",
        "{squares.dominance.dead_units:.1f} of 64 are dead: active for no probe picture",
    ),
    (
        "A few of the rest do the work",
        "{squares.dominance.units_for_80_percent_centred:.1f} of {squares.dominance.live_units.mean:.1f} live units "
        "hold 80 % of a class's votes (Gini {squares.dominance.gini_centred:.2f})",
    ),
    (
        "The largest single vote is a poor witness",
        "it goes to a losing class in {squares.contribution.largest_vote_loses_centred:.0%} of the pictures",
    ),
    (
        "*The same* units decide in another seed?",
        "No: of two seeds' top five, {squares.contribution.top5_overlap_centred.mean:.2f} are shared by number; "
        "shuffled live units share {squares.contribution.top5_overlap_centred.null:.2f}, 95 % of shuffles "
        "{squares.contribution.top5_overlap_centred.null_low:.2f} to "
        "{squares.contribution.top5_overlap_centred.null_high:.2f} "
        "(p {squares.contribution.top5_overlap_centred.p:.2f})",
    ),
    (
        "The initial head says what a surviving unit will mean",
        "its class means at the end follow its centred head row at step 0: r "
        "{squares.evolution.tuning_from_initial_head:.2f}; rows dealt out anew give "
        "{squares.evolution.tuning_from_initial_head.null:.2f} (p {squares.evolution.tuning_from_initial_head.p:.4f}), "
        "its class means at step 0 {squares.evolution.tuning_from_initial_tuning.mean:.2f}",
    ),
    (
        "… and in part who will dominate, but not in all versions",
        "ranked by the initial head weights the final top five stand above the units that live in the end with an AUC "
        "of {squares.evolution.top5_head_auc_at_start:.2f}, above all that live at the start or the end with "
        "{squares.evolution.top5_head_auc_at_start_unconditioned:.2f}; the sign of the weight alone gives "
        "{squares.evolution.top5_head_auc_at_start_null_sign.mean:.2f}; and in mean-subtracted votes it is "
        "{squares.evolution.top5_head_auc_at_start_mean_subtracted:.2f}",
    ),
    (
        "Who lives on is hardly foretold",
        "by how many pictures make a unit active at step 0: AUC {squares.evolution.survival_from_initial_activity:.2f} "
        "(0.50 by chance); {squares.evolution.live_units_at_start.mean:.1f} units live at step 0, "
        "{squares.evolution.live_units_at_end.mean:.1f} at the end",
    ),
    (
        "The sets settle",
        "the top five of a class no longer change after epoch {squares.evolution.top5_settled_epoch:.1f} of 8 on "
        "average over classes, those of the last class after epoch "
        "{squares.evolution.top5_last_class_settled_epoch:.1f}",
    ),
    (
        "What makes votes vary, at this noise (0.2) and range of places",
        "of the variance of votes within a class {squares.variation.place_share:.0%} is the square's place; at noise "
        "0.1 {squares.variation.place_share_at_noise_0_1.mean:.0%}, at 0.4 "
        "{squares.variation.place_share_at_noise_0_4.mean:.0%}: place and noise are even at noise "
        "{squares.variation.noise_at_which_place_and_noise_are_even:.2f}",
    ),
    (
        "Pictures of a class are voted for by much the same units",
        "two of them share {squares.variation.top5_shared_by_two_pictures:.1f} of their top five; pictures of "
        "*another* class, asked for the same class, "
        "{squares.variation.top5_shared_by_two_pictures_null_other_class:.1f}",
    ),
    (
        "The dimensions of fc1 are nearly those of the classes",
        "its effective dimension is {squares.space.effective_dimension:.1f} of "
        "{squares.space.live_units.mean:.1f} live units, that of the nine class means alone "
        "{squares.space.effective_dimension_class_means:.1f} (untrained: "
        "{squares.space.effective_dimension_null_untrained.mean:.1f} of "
        "{squares.space.live_units_null_untrained.mean:.1f}). The square's place can be read from it *within* a class "
        "(R² {squares.space.place_r2_within_class:.2f}; untrained "
        "{squares.space.place_r2_within_class_null_untrained:.2f}, places permuted "
        "{squares.space.place_r2_within_class_null_permuted.mean:.2f})",
    ),
    (
        "*Which* units dominate depends on how you ask",
        "of the top five by centred votes, raw votes name {squares.contribution.top5_shared_with_raw.mean:.1f}, "
        "margins {squares.contribution.top5_shared_with_margin.mean:.1f}, mean-subtracted votes "
        "{squares.contribution.top5_shared_with_mean_subtracted:.1f}; chance "
        "{squares.contribution.top5_shared_null_chance.mean:.1f}",
    ),
)
DIGITS = (
    ("probe accuracy", "{it.training.probe_accuracy:.3f}"),
    ("units (pixels) that ever act", "{it.dominance.live_units:.0f}"),
    ("of these hold 80 % of a class's votes", "{it.dominance.units_for_80_percent_centred:.0f}"),
    ("the largest single vote goes to a losing class", "{it.contribution.largest_vote_loses_centred:.0%}"),
    ("of two seeds' top five are shared", "{it.contribution.top5_overlap_centred:.2f}"),
    (
        "… by chance, 95 % of shuffles",
        "{it.contribution.top5_overlap_centred.null_low:.2f} to {it.contribution.top5_overlap_centred.null_high:.2f} "
        "(p {it.contribution.top5_overlap_centred.p:.4f})",
    ),
    ("effective dimension", "{it.space.effective_dimension:.1f}"),
)
STUDIED = ("squares", "mlp")
VERDICTS = (("slp", "fc1"), ("mlp", "fc1"), ("mlp", "fc2"))
READINGS = {
    "winning_input": "winner's row, the picture it wins",
    "class_mean": "winner's row, mean of the class",
    "nearest": "each row, nearest training picture",
}
MAPS = {
    "grad_cam_conv1": "Grad-CAM, conv1",
    "grad_cam_conv2": "Grad-CAM, conv2",
    "grad_cam_pool2": "Grad-CAM, pool2",
    "occlusion": "occlusion",
    "integrated_gradients": "integrated gradients",
}
MARKS = {
    "pointing": "hottest pixel on the square",
    "mass": "share of the heat on it",
    "iou": "IoU of the hottest cells",
}
EXACT = {"grad_cam_pool2": "grad_cam", "occlusion": "occlusion", "integrated_gradients": "integrated_gradients"}
SPEED = (
    "squares: pictures made on one core",
    "training: plain loop ÷ replica",
    "training: share of that peak",
    "filters of conv3_1: plain loop ÷ lens",
    "filters of conv3_3: plain loop ÷ lens",
    "Grad-CAM: one at a time ÷ in batches",
    "six seeds ÷ one",
    "seeds per hour ÷ plain loop's",
    "one seed of squares: training",
    "one seed of squares: heat maps",
    "one seed of squares: all lenses measured",
    "one seed of squares: all figures",
    "one seed of mlp: learning_rule ÷ training",
    "dvc repro, from nothing",
    "dvc repro of squares, digits, slp, mlp, from nothing",
    "dvc repro from nothing ÷ (training, lenses and figures of 5 seeds ÷ cores)",
    "dvc repro, nothing to do",
    "dvc repro, one seed added",
    "a further seed of digits_tiny beyond ten, all stages",
    "200 seeds of digits_tiny, all stages",
    "200 seeds of digits_tiny: peak memory of any stage",
    "200 seeds of digits_tiny: largest page of the site",
    "stage train: peak memory",
    "stage dump: peak memory",
    "stage analyze: peak memory",
    "disk use of squares, all in all",
    "size of .replicas",
    "make quick, environment set up",
)


def _squares(measured: Measured) -> str:
    return table(["", ""], [[claim, words.format(**measured)] for claim, words in SQUARES])


def _study(measured: Measured) -> str:
    """Return every claim with its verdict in each experiment of the study, and what it rests on in the first."""
    found = {name: measured.study(name) for name in STUDIED}
    rows = []
    for claim, (sentence, _, deciding) in zip(found["squares"], findings_rows(found["squares"])[1], strict=True):
        verdicts = [of[claim]["verdict"] if claim in of else "" for of in found.values()]
        rows.append([sentence, *verdicts, deciding])
    head = (f"`{name}`, {seeds_of(of)} seeds" for name, of in found.items())
    return table(["claim", *head, "in `squares`, the number that decides"], rows)


def seeds_of(findings: Mapping[str, Mapping[str, Any]]) -> int:
    """Return how many seeds the findings of an experiment are of."""
    return max(one["n"] for claim in findings.values() for one in claim["conditions"].values())


def findings_rows(findings: Mapping[str, Mapping[str, Any]]) -> tuple[list[str], list[list[str]]]:
    """Return every claim with its verdict, and the number that decides it (:mod:`seedscope.seeds.findings`)."""
    rows = []
    for found in findings.values():
        deciding = found["conditions"][found["decided_by"]]
        rows.append([found["claim"], found["verdict"], f"{deciding['is']}: {_rests_on(deciding, found)}"])
    return ["claim", "verdict", "the number that decides"], rows


def _rests_on(deciding: Mapping[str, Any], found: Mapping[str, Any]) -> str:
    mean, low, high = (deciding[name] for name in ("mean", "low", "high"))
    value = "no value" if mean is None else f"{Number(mean):.3g}"
    interval = "" if low is None else f" [{Number(low):.3g}, {Number(high):.3g}]"
    alike = " in every seed" if deciding.get("same") else ""
    asked = deciding["asked"].replace("-", "−")
    p = "" if found["p"] is None or found["verdict"] == "does not hold" else f"; p {found['p']:.2g}"
    corrected = p and f", corrected {found['p_corrected']:.2g}"
    because = found["because"] and f"; {found['because']}"
    return f"{value}{interval}{alike}, n = {deciding['n']}; asked {asked}{p}{corrected}{because}"


def _digits(measured: Measured) -> str:
    columns = ("digits", "slp", "mlp")
    rows = [[row, *(words.format(it=measured[name]) for name in columns)] for row, words in DIGITS]
    return table(["", *(f"`{name}`" for name in columns)], rows)


def _templates(measured: Measured) -> str:
    rows = []
    for experiment, layer in VERDICTS:
        found = measured[experiment].templates
        cells = (f"{{it.{layer}_{name}.mean:.2f}} ({{it.{layer}_{name}_null_strongest.mean:.2f}})" for name in READINGS)
        verdict = f"{{it.{layer}_verdict.verdict}}"
        rows.append([f"`{experiment}` {layer}", *(words.format(it=found) for words in (verdict, *cells))])
    return table(["layer", "verdict", *READINGS.values()], rows)


def _heat_maps(measured: Measured) -> str:
    found = measured["squares"]
    rows = []
    for name, words in MAPS.items():
        cells = []
        for mark in MARKS:
            value, *nulls = (
                getattr(found.heat_maps, f"{name}_{mark}{of}").mean
                for of in ("", "_null_untrained", "_null_same_class")
            )
            cells.append(f"{value:.2f} ({max(nulls):.2f})")
        if name in EXACT:
            value, *nulls = (
                getattr(found.places, f"{EXACT[name]}_cosine{of}").mean
                for of in ("", "_null_same_answer", "_null_other_answer")
            )
            cells.append(f"{value:.2f} ({max(nulls):.2f})")
        rows.append([words, *cells, *[""] * (name not in EXACT)])
    return table(["map", *MARKS.values(), "cosine with the exact votes"], rows)


def _speed(measured: Measured) -> str:
    rows = measured.benchmarks()
    cells = [[name, f"{float(rows[name]['median']):g} {rows[name]['unit']}", rows[name]["asked"]] for name in SPEED]
    return table(["figure", "median", "asked"], cells)


PARAGRAPHS: Mapping[str, str] = {
    "arguments": """
        The weights of hidden units are less like any picture than random mixtures of pictures are. Where the verdict is
        yes, it is not "each" neuron: alone, {slp.templates.fc1_templates.mean:.0%} of the rows of `slp` and
        {mlp.templates.fc2_templates.mean:.0%} of `mlp`'s fc2 pass. The steps of the argument fail in part: the winner
        by product is the winner by cosine for {slp.templates.fc1_winner_is_cosine_winner.mean:.0%} of the pictures in
        `slp`, for {mlp.templates.fc1_winner_is_cosine_winner.mean:.0%} among the hidden units; and the losers' products
        do not go to 0, their size is {slp.templates.fc1_losers_size.mean:.2f} of the winners' in `slp`. `learning_rule`
        replays the training bit by bit and splits each row's change by the class of the samples: in `slp` the part of a
        row's own class is {slp.learning_rule.own_part_over_change.mean:.1f} times the size of the whole change, so the
        samples of other classes take most of it back.
    """,
    "tuning": """
        **Edges early, shapes late?** The lens `tuning` measures it against the same network untrained. In `digits` the
        period that most channels of conv1 answer to moves up to 16 pixels, at which no kernel of this size can be
        selective for orientation: so periods are held fixed. At 4 pixels selectivity goes from
        {digits.tuning.conv1_orientation_selectivity_at_period_4_null_untrained.mean:.2f} untrained to
        {digits.tuning.conv1_orientation_selectivity_at_period_4.mean:.2f} (change
        {digits.tuning.conv1_orientation_selectivity_at_period_4_gain_untrained:.2f}, p
        {digits.tuning.conv1_orientation_selectivity_at_period_4_gain_untrained.p:.2f} corrected for all changes that
        the lens measures); and that class selectivity rises more in conv2 than in conv1 cannot be told from no change
        ({digits.tuning.conv1_to_conv2_class_selectivity_gain_untrained:+.2f}).
    """,
    "words": """
        Of the networks trained here, `digits` has edges in {digits.words.conv2_edges.mean:.0%} of the 32 channels of
        conv2, untrained in {digits.words.conv2_edges_null_untrained.mean:.0%} (change
        {digits.words.conv2_edges_gain_untrained:+.2f}, p {digits.words.conv2_edges_gain_untrained.p:.2f} corrected for
        all changes that the lens measures), `squares` in {squares.words.conv2_edges.mean:.0%}, untrained in
        {squares.words.conv2_edges_null_untrained.mean:.0%} ({squares.words.conv2_edges_gain_untrained:+.2f}, p
        {squares.words.conv2_edges_gain_untrained.p:.2f}).
    """,
    "sparsity": """
        **Is deeper sparser?** In `squares` training makes it so, and mostly by channels that are dead, silent for every
        picture: from conv1 to conv2 the share that a picture leaves silent rises by
        {squares.sparsity.conv1_to_conv2_silent:.2f}, the share of dead ones by
        {squares.sparsity.conv1_to_conv2_dead:.2f}; of the channels that live a picture leaves
        {squares.sparsity.conv1_to_conv2_silent_live:.2f} more silent
        ({squares.sparsity.conv1_to_conv2_silent_live_gain_untrained:.2f} more than before the first step). In `digits`
        no channel that lives is ever silent (`sparsity`).
    """,
    "places": """
        The brightest window of the square's size finds it without any network (1.00 in all three;
        `reports/figures/squares/across_seeds/localization.csv`), so none of this says more than that the network looks
        where the light is; and a map of 8×8 cells cannot reach an IoU above 0.57. The last column holds maps against
        the exact answer: behind the last convolution the network is piecewise linear, so `places` pushes the votes for
        the answer back through fc1 and its ReLUs, exactly. Of these votes, net of those against, cells that the square
        touches give {squares.places.votes_on_object:.0%} (another picture's with the same answer
        {squares.places.votes_on_object_null_same_answer.mean:.0%}; even ones
        {squares.places.votes_on_object_null_even.mean:.0%}), of the votes for the answer alone
        {squares.places.votes_on_object_positive:.0%}
        ({squares.places.votes_on_object_positive_null_same_answer.mean:.0%}), of all votes by size
        {squares.places.votes_on_object_absolute:.0%}
        ({squares.places.votes_on_object_absolute_null_same_answer.mean:.0%}); and
        {squares.places.places_for_80_percent:.1f} of 64 places hold 80 %. By rank, Grad-CAM agrees with them no more,
        as far as five seeds can tell, than the map of another picture with the same answer
        ({squares.places.grad_cam_rank_correlation.mean:.2f}, above that by
        {squares.places.grad_cam_rank_correlation_gain_same_answer:.2f}).
    """,
    "no_heat": """
        Look at more than one method, and ask for the right score. In `digits` Grad-CAM of the logit itself, as in the
        paper, has no heat at all at pool2 for {digits.heat_maps.grad_cam_pool2_no_heat_logit:.0%} of the pictures; of
        the logit minus its mean over classes, which is what is drawn here, for
        {digits.heat_maps.grad_cam_pool2_no_heat_centred:.0%}. There its cosine with the exact votes is
        {digits.places.grad_cam_cosine:.2f}, a mere {digits.places.grad_cam_cosine_gain_same_answer.mean:.3f} above that
        of another picture with the same answer.
    """,
    "seeds_needed": """
        `across_seeds/seeds_needed.png` says how many seeds each headline number needs for a stated half-width, and how
        well that is known. For the five seeds above: accuracy to one percentage point
        {squares.seeds_needed.probe_accuracy:.0f}, the Gini coefficient to 5 % {squares.seeds_needed.gini_centred:.0f},
        dead units to 5 % {squares.seeds_needed.dead_units:.0f}. Few seeds know their own spread badly. Formulas:
        `src/seedscope/seeds/seeds_needed.py`.
    """,
}
BLOCKS: Mapping[str, Callable[[Measured], str]] = {
    "squares": _squares,
    "study": _study,
    "digits": _digits,
    "templates": _templates,
    "heat_maps": _heat_maps,
    "speed": _speed,
    **{name: partial(paragraph, words) for name, words in PARAGRAPHS.items()},
}
