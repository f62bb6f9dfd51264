"""GGUF, llama.cpp's container: header, split files, names, configuration and block-quantised types.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Names, types and their decoding are those of the
`gguf` package, the extra `wqscore[gguf]`.
"""
