"""The deck's list of GPT-like models: who made them, when, how big, in which language, open or closed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ModelCard:
    """One line of the deck's list; `n_params` is None where the size was not published (ChatGPT, GPT-4)."""

    name: str
    owner: str
    year: int
    n_params: float | None
    language: str
    open: bool
    hub_name: str | None = None
    note: str = ""

    @property
    def size(self) -> str:
        """The number of parameters for people: 125M, 1.3B, or "not published"."""
        if self.n_params is None:
            return "not published"
        for unit, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M")):
            if self.n_params >= unit:
                return f"{self.n_params / unit:.3g}{letter}"
        return f"{self.n_params:.0f}"


# Slides "GPT-like models", "GPT-3" and "GigaChat"; the size is that of the largest model of the family.
MODELS = (
    ModelCard("GPT-3", "OpenAI", 2020, 175e9, "English", False),
    ModelCard(
        "GPT-Neo", "EleutherAI", 2021, 2.7e9, "English", True, "EleutherAI/gpt-neo-2.7B", "reproduces GPT-3"
    ),
    ModelCard("LaMDA", "Google", 2021, 137e9, "English", False, note="dialogue-oriented"),
    ModelCard("Megatron-Turing NLG", "Microsoft and Nvidia", 2021, 530e9, "English", False),
    ModelCard("PanGu-α", "Huawei", 2021, 200e9, "Chinese", True, note="the 2.6B and 13B weights are public"),
    ModelCard("Wu Dao", "BAAI", 2021, 1.75e12, "Chinese", False, note="2.0, a mixture of experts"),
    ModelCard(
        "HyperCLOVA", "Naver", 2021, 204e9, "Korean", False, note="announced size; the paper describes 82B"
    ),
    ModelCard("RuGPT", "Sber", 2020, 13e9, "Russian", True, "ai-forever/ruGPT-3.5-13B", "ruGPT-3.5: 2023"),
    ModelCard("YaLM", "Yandex", 2022, 100e9, "Russian", True, "yandex/yalm-100b"),
    ModelCard("XGLM", "Meta", 2021, 7.5e9, "multilingual", True, "facebook/xglm-7.5B"),
    ModelCard("mGPT", "Sber", 2022, 13e9, "multilingual", True, "ai-forever/mGPT-13B", "61 languages"),
    ModelCard("ChatGPT", "OpenAI", 2022, None, "multilingual", False),
    ModelCard("GPT-4", "OpenAI", 2023, None, "multilingual", False),
    ModelCard("GigaChat", "Sber", 2023, 13e9, "Russian", False, note="its base, ruGPT-3.5-13B, is open"),
)
