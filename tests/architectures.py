"""Small models with random weights, one of each architecture that the course's checkpoints have."""

from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel, set_seed

SHAPES = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 128},
    "llama": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
    "gpt_neox": {
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "max_position_embeddings": 128,
    },
    "xglm": {
        "d_model": 32,
        "ffn_dim": 64,
        "num_layers": 2,
        "attention_heads": 4,
        "max_position_embeddings": 128,
        "dropout": 0.0,
    },
}


def random_model(architecture: str) -> PreTrainedModel:
    """Return a model of the architecture with weights from seed 0 and the size of the course's vocabulary."""
    set_seed(0)
    special = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    config = AutoConfig.for_model(architecture, vocab_size=4096, **SHAPES[architecture], **special)
    return AutoModelForCausalLM.from_config(config).eval()
