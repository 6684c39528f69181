"""What the model card (scripts/model_card.py) says of how a network was trained, and by whom it was taught."""

from __future__ import annotations

from scripts.card_words import BEGUN, COUNTS, TAUGHT, TEACHERS


def recipe(facts: dict) -> str:
    """How a network came about, from its `recipe` in model.json: one line, or for several networks a line each."""
    if "parts" in facts:
        parts = "\n".join(f"  - part {place}: {recipe(part)}" for place, part in enumerate(facts["parts"], 1))
        kept = f"{100 * facts['power_kept']:.1f} % of the power of their embeddings kept"
        return f"{COUNTS[len(facts['parts'])]} networks, {kept}:\n{parts}"
    own = stages(facts)
    for other in facts.get("mean_with", []):
        apart = [stage for stage in stages(other) if stage not in own]
        own[-1] += f" (the mean of this and of a run that went another way: {'; and then: '.join(apart)})"
    return "; and then: ".join(own)


def stages(facts: dict) -> list[str]:
    """The trainings that a network went through, one after another."""
    shown = (
        "architecture",
        "start",
        "hidden",
        "dropout",
        "parameters",
        "voices",
        "voices_with_other_speeds",
        "examples",
        "steps",
        "batch",
        "crop",
        "rate",
        "margin",
        "teacher",
        "taught_by",
        "labels",
        "favour",
        "augment",
        "mean_of",
        "both_views",
        "seed",
    )
    shown += ("backend", "precision", "command", "note")
    line = ", ".join(f"{name} {facts[name]}" for name in shown if facts.get(name) not in (None, ""))
    return [*(stages(facts["first"]) if "first" in facts else []), line]


def taught(recipes: dict) -> str:
    """The paragraph about the teachers, where there were any."""
    names = sorted({name for one in recipes.values() for name in teachers(one)}, key=list(TEACHERS).index)
    if not names:
        return ""
    who = "\n".join(TEACHERS[name] for name in names)
    return f"\n{TAUGHT.format(teachers=who)}\n"


def begun(recipes: dict) -> str:
    """The paragraph about whose weights the CNN began with, where it did not begin with nothing."""
    facts = recipes["cnn"]
    while "first" in facts:
        facts = facts["first"]
    return f"\n{BEGUN}\n" if facts.get("start") == "campplus" else ""


def teachers(facts: dict) -> set[str]:
    """Who taught a network and those it began with; the first recipes with a teacher did not say who it was."""
    earlier = [*facts.get("parts", []), *facts.get("mean_with", []), *([facts["first"]] if "first" in facts else [])]
    own = {facts.get("taught_by", "resemblyzer")} if facts.get("teacher") else set()
    return own.union(*(teachers(one) for one in earlier))
