"""Encoders of text, speech and images, with and without a decoder."""

from __future__ import annotations

from tests.matrices.architecture import (
    ATTENTION,
    FC,
    LAYER,
    MLP,
    OUT_PROJECTIONS,
    PROJECTIONS,
    Architecture,
    named,
    of_attention,
)
from tests.matrices.attention_cases import CASES, QWEN_VISION, SIZES, VISION, unrotated
from tests.matrices.unfused import SIDE, attention, gated

ENCODER = {**of_attention("self_attn", *OUT_PROJECTIONS), **of_attention("encoder_attn", *OUT_PROJECTIONS)}
ENCODER |= named(mlp_in="fc1", mlp_out="fc2")
VIT = {**of_attention("attention", *PROJECTIONS), **named(mlp_in="mlp.fc1", mlp_out="mlp.fc2", head="classifier")}
VIT |= named(embedding="position_embeddings mask_token relative_position_bias_table")

#: DeBERTa gives positions keys and queries of their own.
BERT_LIKE = named(attention_q="query_proj pos_query_proj pos_q_proj", attention_k="key_proj pos_key_proj pos_proj")
BERT_LIKE |= named(attention_v="value_proj", attention_o="attention.output.dense", mlp_in="intermediate.dense")
BERT_LIKE |= named(mlp_out="output.dense", head="transform.dense")

SEQUENCE = {"vocab_size": 50, "d_model": SIDE, "pad_token_id": 0, "encoder_layers": 2, "decoder_layers": 2}
SEQUENCE |= {"encoder_attention_heads": 4, "decoder_attention_heads": 4}
SEQUENCE |= {"encoder_ffn_dim": 96, "decoder_ffn_dim": 96}

#: Of some, transformers fuses on disk what the model keeps apart: there its own parameters are the reference.
ENCODERS: dict[str, Architecture] = {
    "t5": Architecture(
        "T5ForConditionalGeneration",
        "t5",
        {"vocab_size": 50, "d_model": SIDE, "d_kv": 8, "d_ff": 96, "num_layers": 2, "num_heads": 4}
        | {"feed_forward_proj": "gated-gelu"},
        {**of_attention("Attention", *"qkvo"), **named(mlp_gate="wi_0", mlp_in="wi_1", mlp_out="wo")},
    ),
    "bart": Architecture("BartForConditionalGeneration", "bart", SEQUENCE, ENCODER),
    "whisper": Architecture(
        "WhisperForConditionalGeneration",
        "whisper",
        {**SEQUENCE, "num_mel_bins": 8, "max_source_positions": 40, "max_target_positions": 40},
        ENCODER,
    ),
    "moonshine": Architecture(
        "MoonshineForConditionalGeneration",
        "moonshine",
        {"vocab_size": 50, "hidden_size": SIDE, "intermediate_size": 96, "pad_token_id": 0}
        | dict.fromkeys(("encoder_num_hidden_layers", "decoder_num_hidden_layers"), 2)
        | dict.fromkeys(("encoder_num_attention_heads", "decoder_num_attention_heads"), 4),
        {**ATTENTION, **of_attention("encoder_attn", *PROJECTIONS), **FC},
        (gated(r"model\.decoder\.layers\.\d+\.mlp", "fc1.weight"),),
    ),
    "wav2vec2": Architecture(
        "Wav2Vec2ForCTC",
        "wav2vec2",
        {**SIZES, "conv_dim": [16, 16], "conv_kernel": [3, 3], "conv_stride": [2, 2]}
        | {"num_conv_pos_embeddings": 4, "num_conv_pos_embedding_groups": 2},
        {**of_attention("attention", *OUT_PROJECTIONS), **named(mlp_in="intermediate_dense", mlp_out="output_dense")}
        | named(other="feature_projection.projection", head="lm_head"),
        unread=("original1",),
        not_matrices=("bias", "original0", "original1"),
    ),
    "deberta": Architecture(
        "DebertaForMaskedLM",
        "deberta",
        CASES["deberta"].sizes,
        BERT_LIKE,
        (attention(r"deberta\.encoder\.layer\.\d+\.attention\.self", "in_proj.weight"),),
    ),
    "deberta-v2": Architecture(
        "DebertaV2ForMaskedLM",
        "deberta-v2",
        {**CASES["deberta"].sizes, "share_att_key": False},
        BERT_LIKE,
    ),
    "xlnet": Architecture(
        "XLNetLMHeadModel",
        "xlnet",
        {"vocab_size": 50, "d_model": SIDE, "n_layer": 2, "n_head": 4, "d_inner": 96},
        {**of_attention("rel_attn", *"qkvo"), **named(attention_k="rel_attn.r", mlp_in="ff.layer_1")}
        | {"ff.layer_2": "mlp.out"},
        unread=("seg_embed",),
        not_matrices=("bias", "seg_embed"),
    ),
    "modernbert": Architecture(
        "ModernBertForMaskedLM",
        "modernbert",
        SIZES,
        named(attention_o="attn.Wo", mlp_out="mlp.Wo", head="head.dense"),
        (
            attention(rf"{LAYER}\.attn", "Wqkv.weight"),
            gated(rf"{LAYER}\.mlp", "Wi.weight"),
        ),
    ),
    "nomic_bert": Architecture("NomicBertModel", "nomic_bert", SIZES, {**ATTENTION, **MLP}),
    "gte": Architecture("GteModel", "gte", SIZES, {**ATTENTION, **MLP}),
    "jina_embeddings_v3": Architecture(
        "JinaEmbeddingsV3Model", "jina_embeddings_v3", SIZES, {**ATTENTION, **FC, "pooler.dense": "other"}
    ),
    "dinov2": Architecture("Dinov2Model", "dinov2", {**VISION, "use_swiglu_ffn": True}, {**VIT, **MLP}),
    "vit": Architecture("ViTForImageClassification", "vit", VISION, VIT),
    "swin": Architecture(
        "SwinForImageClassification",
        "swin",
        {"image_size": 32, "patch_size": 4, "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 4]}
        | {"window_size": 4},
        {**VIT, "downsample.reduction": "other"},
    ),
    "convnext": Architecture(
        "ConvNextForImageClassification",
        "convnext",
        {"hidden_sizes": [16, 24], "depths": [2, 2], "num_stages": 2},
        named(mlp_in="pwconv1", mlp_out="pwconv2", head="classifier"),
    ),
    "clip": Architecture(
        "CLIPModel",
        "clip",
        {"text_config": SIZES, "vision_config": VISION, "projection_dim": 24},
        {**ENCODER, **named(other="visual_projection text_projection")},
    ),
    "qwen2_vl": Architecture(
        QWEN_VISION,
        "qwen2_vl_vision",
        CASES["qwen2_vl"].sizes,
        {"attn.proj": "attention.o", **FC, **named(mlp_in="merger.mlp.0", mlp_out="merger.mlp.2")},
        (attention(r"blocks\.\d+\.attn", "qkv.weight", unrotated),),
    ),
}
