"""Words of each format that mutations insert."""

from __future__ import annotations

_SHARED = (*b"weight model.layers.0. experts. .bias null -1 1e999 NaN {} []".split(), b'""')
_DTYPES = tuple(b"F32 BF16 F16 I32 I8 U8 F8_E4M3 F4 I64 BOOL C64".split())

SAFETENSORS = _SHARED + _DTYPES
QUANTISED = (
    *SAFETENSORS,
    *b"qweight qzeros scales g_idx absmax quant_map nested_absmax SCB weight_scale weight_scale_inv".split(),
    *b"_blocks _scales weight_packed weight_shape weight_zero_point quant_state.bitsandbytes__nf4".split(),
    *b"quant_method bits group_size desc_act gptq awq fp8 mxfp4 compressed-tensors".split(),
    *b"weight_block_size config_groups strategy num_bits".split(),
)
ADAPTER = (*SAFETENSORS, *b"lora_A lora_B rank_pattern alpha_pattern (a*)*b .* {9} r lora_alpha".split())
#: Opcodes with their arguments, and names.
PICKLE = (
    *(b"(", b")", b"]", b"}", b"a", b"e", b"s", b"u", b"t", b"\x85", b"\x86", b"\x87", b"q\0", b"h\0", b"\x94", b"R"),
    *(b"b", b"Q", b".", b"N", b"J\xff\xff\xff\x7f", b"\x8a\x09" + b"\xff" * 9, b"X\x01\0\0\0w", b"\x93", b"\x80\x02"),
    *(b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch\nFloatStorage\n", b"ccollections\nOrderedDict\n"),
)
TORCH = _SHARED + PICKLE
INDEX = (*_SHARED, *b"weight_map model-00001-of-00001.safetensors .. /".split())
GGUF = (
    *(*_SHARED, *b"GGUF general.alignment split.count blk.0.".split()),
    *(b"\x04\0\0\0\0\0\0\0test", b"\x09\0\0\0", b"\x08\0\0\0"),
)
ONNX = (
    *(*_SHARED, *b"onnx::MatMul_1 DequantizeLinear location weights.data block_size".split()),
    *(b"\x08\x01", b"\x12\x00"),
)
NUMPY = (
    *b"'descr' '<f4' '|O' fortran_order (1,)".split(),
    *(b"\x93NUMPY\x01\0", b"PK\x01\x02", b"PK\x05\x06", b"PK\x03\x04"),
)
TOML = (b'id = "a/b"\n', b"aliases = []\n", b"year = ", *b'[[models]]\t[list]\t1979-05-27\t0x\t"""\t.a'.split(b"\t"))
YAML = (b"- ", b"? ", b"&a ", b"<<: ", b"!!set ", b"|\n", b"---\n", *b"model-index: results: *a !!binary 1:1".split())
MANIFEST = (b'["diffusers", "X"]', b"[null, null]", *b'"unet" "path" .. / _class_name'.split())
