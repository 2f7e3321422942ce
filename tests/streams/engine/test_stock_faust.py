"""Every way in which stock Faust loses or doubles events, and the test that the engine does not.

What stock Faust does is in reference/stream-engines.md, sections 1.1 to 1.9.

1.1 Ack and commit
    The end of a loop body acknowledges, however it ended, and the event is gone
        test_batches.py::test_an_exception_acknowledges_nothing_and_a_restart_handles_the_record
        test_lanes.py::test_an_exception_halts_and_the_record_comes_again
    A commit that fails is forgotten, and its offset taken for committed (#316)
        test_faults.py::test_a_commit_that_is_not_answered_is_repeated_and_changes_no_row_before
    One unfinished event at the head, or any in a new group, does not hold the commit back (#606)
        test_crashes.py::test_a_stuck_record_comes_again_after_kill_9_though_later_ones_finished
        test_lanes.py::test_a_stuck_key_lets_others_flow_and_holds_the_commit
        test_offsets.py::test_the_lowest_unfinished_record_holds_the_commit_back
    Gaps of compaction and transactions cost time, each
        test_offsets.py::test_gaps_from_compaction_and_transaction_markers_are_stepped_over
        test_stages.py::test_gaps_that_transactions_leave_hold_nothing_back
    A stuck event lets what is acknowledged grow without bound
        test_offsets.py::test_memory_does_not_grow_with_what_finished_above_a_stuck_record
        test_lanes.py::test_reading_pauses_when_too_much_would_come_again
1.2 An exception
    take() acknowledges the whole batch, and drains what arrives before the restart
        test_batches.py::test_an_exception_acknowledges_nothing_and_a_restart_handles_the_record
    noack() releases events above the open one, and SIGTERM waits for it for ever
        test_lanes.py::test_a_record_that_comes_again_meets_its_own_row
    A crashing supervisor loops over a poison pill; the engine halts once, and says where
        test_crashes.py::test_a_halt_ends_the_process_with_a_failure
        test_crashes.py::test_a_halt_ends_fausts_own_worker_with_a_failure
    A record that cannot be decoded is acknowledged, and crashes the agent
        test_edges.py::test_a_source_record_of_any_bytes_reaches_the_stage
1.3 Producing
    A send that fails later is a warning, and the commit goes on
        test_edges.py::test_what_cannot_be_delivered_now_holds_the_commit_until_it_is
    The flush before a commit gives up after 100 ms without progress
        test_faults.py::test_a_stalled_producer_commits_nothing_says_so_and_goes_on
        test_faults.py::test_a_stall_over_the_stop_commits_nothing_and_the_batch_comes_again
    A record that is too large brings the worker down, again and again, unnamed
        test_batches.py::test_a_record_that_is_too_large_halts_and_is_named
    Without idempotence a repeated batch is doubled
        test_faults.py::test_lost_answers_double_nothing
    A producer forgets the leaders of topics that it never had to ask for, and stalls for a minute
        test_faults.py::test_a_producer_that_looks_for_a_new_topic_does_not_forget_the_others
    Outputs attached to a commit go out for an event that is still being handled
        test_lanes.py::test_a_cancelled_record_leaves_neither_row_nor_output
        test_batches.py::test_an_exception_acknowledges_nothing_and_a_restart_handles_the_record
1.4 exactly_once
    Output and offset agree only when both partitions are equal, crashes double and stop
        test_checkpoint.py::test_a_crash_at_any_step_leaves_everything_counted_once
        test_checkpoint.py::test_two_crashes_in_a_row_do_not_bring_an_uncommitted_row_back
        test_faults.py::test_two_engines_share_a_flood_and_neither_loses_nor_splits_a_count
1.5 Tables
    Rows are ahead of the committed offset after a crash: 20,506 of 20,001 increments
        test_crashes.py::test_killed_in_the_middle_of_20000_increments_the_count_is_exact
        test_crashes.py::test_a_worker_killed_between_two_steps_counts_everything_once
        test_crashes.py::test_what_a_worker_wrote_before_its_very_first_commit_does_not_count
        test_recovery.py::test_what_was_never_committed_is_overruled
    A key that comes by two partitions has two rows
        test_edges.py::test_a_key_that_comes_by_several_partitions_has_one_row
    A read outside a stream scans whatever partitions are here
        test_stages.py::test_a_row_that_another_worker_has_is_named_with_its_partition
    Partition counts that differ show at the first write
        test_recovery.py::test_topics_that_must_share_partitions_and_do_not_are_named
    Rows turn into JSON, or into nothing
        test_edges.py::test_rows_of_any_bytes_and_deleted_rows_come_back_so_table_by_table
    Windows that were written before a restart never expire: timers are rows here
        ../test_timekeeper.py::test_timers_that_came_due_while_nobody_worked_ring_after_a_restart
1.6 Co-partitioning
    Without tables of Faust's own, partitions of one number go to different workers
        test_edges.py::test_topics_of_one_stage_are_shared_out_by_partition_number
    A source event is acknowledged when its repartitioned copy is enqueued
        test_edges.py::test_what_cannot_be_delivered_now_holds_the_commit_until_it_is
    Partitioners disagree
        test_stages.py::test_keys_go_where_kafkas_own_partitioner_sends_them
1.7 Recovery
    A trimmed changelog hangs (#176), or is read as if it were whole
        test_edges.py::test_a_changelog_that_lost_its_beginning_halts_and_says_what_to_do
    An empty changelog partition hangs (#597)
        test_edges.py::test_partitions_whose_changelog_is_empty_are_ready_too
    A source whose retention passed the committed offset stalls, or begins at its end (#651)
        test_edges.py::test_a_source_that_was_trimmed_past_the_commit_goes_on_at_its_first_record
    A record that cannot be decoded hangs recovery with warnings
        test_recovery.py::test_a_record_that_the_engine_did_not_write_halts_with_its_offset
    A changelog that was made anew is a ConsistencyError (#158)
        test_recovery.py::test_a_changelog_made_anew_is_noticed_and_the_table_rebuilt
    A record is applied to another table
        test_edges.py::test_rows_of_any_bytes_and_deleted_rows_come_back_so_table_by_table
    Recovery is slow, and silent
        test_recovery.py::test_recovery_tells_its_progress_and_does_not_hold_the_loop
1.8 RocksDB
    A lost tail is not noticed
        test_checkpoint.py::test_any_history_of_crashes_lost_disks_stray_writers_and_compaction_counts_once
        test_recovery.py::test_an_old_disk_reads_only_what_it_missed
        test_recovery.py::test_an_unreadable_database_is_set_aside_and_rebuilt
    A database that somebody else still holds stays closed, silently
        test_edges.py::test_a_store_that_somebody_still_holds_is_waited_for
    An iterator that is alive holds the lock
        ../../tables/test_store.py::test_a_scan_leaves_nothing_behind_that_holds_the_lock
1.9 Rebalance
    A revoke waits for what is being handled, and the member is thrown out
        test_edges.py::test_a_revoke_abandons_a_stuck_call_in_time_and_the_other_worker_makes_it
        test_lanes.py::test_what_is_being_called_at_a_stop_is_finished_within_the_budget
    Who was thrown out goes on, and commits
        test_edges.py::test_a_commit_for_a_generation_that_is_over_is_not_even_asked_for
        test_membership.py::test_a_worker_that_slept_through_its_session_wakes_up_and_harms_nothing
        test_faults.py::test_a_worker_that_the_group_threw_out_comes_back_and_counts_once
        test_checkpoint.py::test_a_thrown_out_worker_can_neither_commit_nor_leave_a_row_behind
    A rebalance falls into a batch
        test_faults.py::test_two_engines_share_a_flood_and_neither_loses_nor_splits_a_count
    What was fetched does not fit into the buffers, and blocks everybody
        test_lanes.py::test_reading_pauses_while_too_many_records_are_unfinished
    The partitions of a dead worker stand still for a minute
        test_membership.py::test_a_killed_workers_partitions_are_taken_over_with_their_rows
        test_membership.py::test_a_static_member_comes_back_without_a_rebalance
    A static member that comes back leads without knowing it, and new partitions are nobody's
        test_membership.py::test_a_static_member_that_comes_back_sees_to_it_that_every_partition_is_read
    A fetcher that is cancelled in a rebalance crashes the app, and the stop hangs
        test_edges.py::test_a_worker_that_stops_before_its_tables_recovered_leaves_the_group_in_order
        test_edges.py::test_a_consumer_thread_that_ends_halts_the_worker
1.10 Shutdown
    A stop waits a minute for brokers that are away, and leaves a thread that holds the process
        test_stopping.py::test_a_stop_ends_in_time_while_the_brokers_are_down
        test_stopping.py::test_a_stop_ends_in_time_while_the_consumer_waits_for_a_broker
        test_stopping.py::test_a_client_is_let_go_whether_its_end_hangs_or_fails
    A stop that is cancelled, or fails on its way, leaves the rest running
        test_stopping.py::test_a_stop_that_is_cancelled_again_ends_whole
        test_stopping.py::test_a_hook_that_fails_at_the_stop_halts_and_leaves_no_thread
    A call into the consumer thread waits for ever when that ended
        test_stopping.py::test_a_thread_that_ended_by_itself_is_stopped_in_peace
    A consumer that cannot go on says so to whoever reads next, and to nobody when nobody reads
        test_stopping.py::test_what_the_coordinator_holds_against_a_member_halts_it_also_when_nothing_is_read
    A rebalance during the stop closes the consumer in the event loop of another thread
        test_stopping.py::test_a_stop_at_any_moment_ends_in_time_and_leaves_nothing_behind
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

HERE = Path(__file__).parent


def test_the_table_above_names_tests_that_exist() -> None:
    assert __doc__ is not None
    named = re.findall(r"^ {8}(\S+)::(test_\w+)$", __doc__, re.MULTILINE)
    assert len(named) > 50
    for file, name in named:
        tree = ast.parse((HERE / file).read_text())
        functions = (ast.FunctionDef, ast.AsyncFunctionDef)
        found = {node.name for node in ast.walk(tree) if isinstance(node, functions)}
        assert name in found, f"{file} has no {name}"
