"""Read GGUF, llama.cpp's format: header, split files, tensor names, configuration and block-quantised types.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. Names, types and decoders come from the `gguf`
package, the extra `wqscore[gguf]`.
"""
