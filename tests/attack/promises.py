"""What is promised of each kind of attack, and which tests hold it."""

from __future__ import annotations

from dataclasses import dataclass

_OWN = "attack/test_attack.py"
_PYTORCH, _HUB = "checkpoints/pytorch", "checkpoints/hub"
_FAULTS, _TEXT = "cli/test_faults_of_the_machine.py", "test_hostile_text.py"


@dataclass(frozen=True)
class Promise:
    """A row of the table.

    Attributes:
        kind: the attacks; a kind of the corpus, or others.
        text: what is promised.
        tests: test files below tests/, or functions in them.
    """

    kind: str
    text: str
    tests: tuple[str, ...] = (_OWN,)


_REFUSED = "refused in one line, exit code 3; nothing runs"
_NOT_READ = "the weights are scored; the rest is neither run nor read"

#: A row for each kind of the corpus.
OF_CORPUS: tuple[Promise, ...] = (
    Promise("pickle, ways in", _REFUSED),
    Promise("pickle, what is called", f"{_REFUSED}: a list of what may be called, not of what may not"),
    Promise("pickle, odd as a whole", _REFUSED),
    Promise("pickle under other names", f"{_REFUSED}; or no file of weights, exit code 2"),
    Promise("pickle behind safetensors", _REFUSED),
    Promise("torch's zip file", _REFUSED),
    Promise("torch's zip file, code beside the weights", _NOT_READ),
    Promise("torch's older containers", _REFUSED),
    Promise("NumPy", "no object is unpickled, no header evaluated; such arrays are left out by name"),
    Promise("other tools' formats", "not read, in one line, exit code 2 or 3"),
    Promise("code beside the weights", _NOT_READ),
    Promise("GGUF, templates", _NOT_READ),
    Promise("GGUF, lengths that lie", _REFUSED),
    Promise("ONNX, data outside the folder", _REFUSED),
    Promise("paths, links, pipes and devices", "refused in one line, exit code 3; no pipe or device is opened"),
    Promise("no end: sizes, depths, bombs", "refused in one line, exit code 3, in seconds"),
)
#: Kinds that are no single checkpoint, or that formats' own tests hold.
OTHERS: tuple[Promise, ...] = (
    Promise(
        "pickles, opcode by opcode",
        "anything but the names and opcodes of a state dict is refused by name",
        tuple(
            f"{_PYTORCH}/test_unpickler.py::test_{name}"
            for name in (
                "other_names_are_refused_by_name",
                "other_opcodes_are_refused_by_name",
                "malformed_pickles",
                "bombs_end_at_once",
                "any_bytes_give_a_value_or_one_clear_line",
            )
        ),
    ),
    Promise(
        "files that torch.save made hostile",
        "refused by name, nothing runs",
        (f"{_PYTORCH}/test_damage.py::test_attacks_are_refused_by_name_and_nothing_is_run",),
    ),
    Promise(
        "torch's containers that lie",
        "one line, or the tensors that are there",
        (f"{_PYTORCH}/test_zip.py", f"{_PYTORCH}/test_tar.py", f"{_PYTORCH}/test_legacy.py"),
    ),
    Promise(
        "safetensors headers that lie",
        "refused, at least wherever the format's own library refuses",
        tuple(
            f"checkpoints/test_safetensors.py::test_{name}"
            for name in (
                "where_we_are_stricter_than_the_library",
                "headers_that_lie_are_refused_by_both",
                "a_header_with_a_value_changed",
                "a_file_with_bytes_changed",
                "bytes_of_any_kind",
                "a_long_header_is_refused_before_it_is_read",
            )
        ),
    ),
    Promise(
        "NumPy, GGUF and ONNX files that lie",
        "one line, in memory and time of the file's own size",
        (
            "checkpoints/test_npz_damage.py",
            "checkpoints/gguf/test_header.py::test_a_header_that_lies_is_refused",
            "checkpoints/onnx/test_damage.py",
        ),
    ),
    Promise(
        "views that unfold to more than is stored",
        "refused before anything is allocated",
        (f"{_FAULTS}::test_views_that_unfold_are_refused",),
    ),
    Promise(
        "indices and configurations",
        "no shard outside the folder, nothing of any size or kind but JSON in a regular file",
        (
            "checkpoints/test_weight_files.py::test_a_shard_outside_the_folder",
            "checkpoints/test_local.py::test_what_is_not_a_file_is_not_opened",
            "cli/test_bad_input.py::test_what_is_refused_is_named_and_the_rest_is_ranked",
        ),
    ),
    Promise(
        "regular expressions of adapters",
        "matched in linear time, or refused",
        ("checkpoints/adapters/test_patterns.py",),
    ),
    Promise(
        "cards: bombs of aliases, depth, size",
        "left out with a reason",
        (
            "studies/known/test_model_card.py::test_a_bomb_is_refused_before_it_goes_off",
            "studies/known/test_model_card.py::test_nesting_without_end_is_refused_in_one_line_and_little_memory",
            "studies/known/test_model_card.py::test_large_cards_are_not_read_and_the_other_files_are",
        ),
    ),
    Promise(
        "lists, policies, baselines, tables",
        "read whole or refused in one line, exit code 2",
        (
            "refs/test_model_list.py::test_what_a_list_can_get_wrong",
            "gating/test_policy.py::test_any_file_is_a_policy_or_one_clear_line",
            "gating/test_baseline.py::test_a_damaged_file_gives_numbers_or_one_clear_line",
            f"{_FAULTS}::test_options_that_name_a_file_take_a_file",
        ),
    ),
    Promise(
        "the files of a leaderboard", "findings of a line each", ("leaderboards/test_checking.py::test_it_is_found",)
    ),
    Promise(
        "names that are markup, formulas, escapes",
        "text in every format, as other programs read it",
        (_TEXT, "leaderboards/pages/test_hostile_names.py"),
    ),
    Promise(
        "names that are a pipeline's commands",
        "no line of output begins with one",
        (f"{_FAULTS}::test_no_line_begins_with_what_a_pipeline_obeys",),
    ),
    Promise(
        "links and times that vouch for content",
        "content is known by what was read",
        (
            "stores/test_trust.py::test_a_link_named_like_another_file_is_read",
            "stores/test_trust.py::test_only_the_cache_of_this_user_vouches_for_a_name",
            "stores/test_trust.py::test_a_file_changed_under_its_old_time_is_read",
        ),
    ),
    Promise(
        "forged and damaged stores",
        "rows that can't be right are computed again; no run stops",
        (
            "stores/test_trust.py::test_a_forged_row_is_computed_again",
            "stores/test_trust.py::test_a_forged_spectrum_is_solved_again",
            "stores/test_trust.py::test_no_row_stops_a_run",
            "stores/test_trust.py::test_a_forged_record_of_a_file_stops_nothing",
            "stores/test_damage.py",
        ),
    ),
    Promise(
        "servers",
        "a failure of that model; a pinned commit and a listed digest are held to; no token leaves",
        (
            f"{_FAULTS}::test_one_repository_stops_no_other",
            f"{_FAULTS}::test_a_pinned_commit_is_held_to",
            f"{_FAULTS}::test_a_download_has_the_digest_that_is_listed",
            f"{_HUB}/test_fetch.py::test_a_bad_index_is_refused_before_any_weights_are_fetched",
            f"{_HUB}/test_fetch.py::test_headers_that_lie_or_come_without_ranges",
            f"{_HUB}/test_fetch.py::test_a_token_goes_to_the_hub_and_not_to_the_host_that_stores_the_weights",
        ),
    ),
    Promise(
        "settings in the working folder",
        "numba's, which could make it run code, are refused",
        ("spectra/test_jit.py",),
    ),
    Promise(
        "any bytes, in every parser",
        "a result or one line, in bounded time and memory",
        ("fuzz/test_fuzz.py::test_no_change_breaks_a_parser",),
    ),
)
