"""From GPT to prompt tuning, instruction tuning and RLHF: the course's companion package."""

__version__ = "0.1.0"
