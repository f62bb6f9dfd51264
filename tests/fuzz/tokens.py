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
ANY_CONTAINER = (*TORCH, b"ustar", b"GGUF", b"\x93NUMPY", b"PK\x03\x04", b".npy", b"storages", b"tensors", b"pickle")
REPARAMETRISED = (
    *SAFETENSORS,
    *b"weight_g weight_v weight_orig weight_u weight_mask parametrizations.weight.original0 .original .0._u".split(),
    *b"parametrizations .base ema. model_ema. module. _orig_mod. teacher. exp_avg lora_A lora_B config".split(),
)
NAMED_ADAPTER = (
    *SAFETENSORS,
    *b"lora_A.weight lora_B.weight lora_up.weight lora_down.weight .alpha lora_unet_ lora_te_ lora_a lora_b".split(),
    *b"hada_w1_a lokr_w1 dora_scale processor. base_model.model. modules_to_save peft_type LORA".split(),
    b"fine_tune_type",
)
FILE_NAMES = (
    *b"model.safetensors pytorch_model.bin .index.json -00001-of-00002 .gguf .onnx .pt ../ / unet/".split(),
    b"adapter_model.",
    *(b"\\", b"\0", b"\x1b[2J", b"optimizer.pt", b"data/", b"~"),
)
RESULTS = (*_SHARED, *b"alpha models summary metrics null schema_version 1e400 date nights interval median".split())
POLICY = (
    *TOML,
    *b"delta( share(random) alpha > >= .median ) rules baseline preset base metrics".split(),
    b"rules = []\n",
)
CSV = (
    b",",
    b'"',
    b"\n",
    b"\r\n",
    b"'=1+1",
    b"=",
    b"model",
    b"status",
    b"failed",
    b"nan",
    b"1e999",
    b"\xef\xbb\xbf",
    b"\0",
)
MARKUP = (
    *(
        b"<a href='",
        b"<img src='",
        b"id='",
        b"<!--",
        b"]]>",
        b"<![CDATA[",
        b"&#0;",
        b"//[",
        b"http://[::1",
        b"#",
        b"%00",
    ),
    *(b"<!DOCTYPE a [<!ENTITY b 'c'>]>", b"&b;", b"<entry>", b"xmlns='http://www.w3.org/2005/Atom'", b"../", b"?"),
)
STORE = (
    b"SQLite format 3\0",
    b"CREATE TABLE",
    b"spectra",
    b"results",
    b"\x0d",
    b"\x05",
    b"{}",
    b"[]",
    b"null",
    b"\xff",
)
