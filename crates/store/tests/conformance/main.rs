//! What every store promises, said once and held by each.

// Each under cfg(test), so that clippy knows its helpers for tests.
#[cfg(test)]
mod apply;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod late;
#[cfg(test)]
mod listing;
#[cfg(test)]
mod model;
#[cfg(test)]
mod outcomes;
#[cfg(test)]
mod pruning;
#[cfg(test)]
mod queues;
#[cfg(test)]
mod submit;

/// Makes a test of each promise for each store.
macro_rules! promises {
    ($($module:ident { $($promise:ident,)+ })+) => {
        mod memory {
            $(mod $module {
                $(#[tokio::test]
                async fn $promise() {
                    crate::$module::$promise(&crate::harness::memory()).await;
                })+
            })+
        }

        mod sqlite {
            $(mod $module {
                $(#[tokio::test]
                async fn $promise() {
                    crate::$module::$promise(&crate::harness::sqlite()).await;
                })+
            })+
        }
    };
}

promises! {
    submit {
        everything_that_was_submitted_is_read_back,
        every_part_of_a_spec_that_may_be_missing_may_be_missing,
        contents_of_eight_mebibytes_and_of_none_come_back,
        the_same_key_with_the_same_task_is_the_same_task,
        the_same_key_twice_in_a_call_is_one_task,
        tasks_are_found_by_their_keys,
        a_hundred_submissions_at_once_with_one_key_are_one_task,
        one_clash_refuses_the_whole_call_and_names_every_clash,
        a_client_ref_is_taken_once_in_each_tenant_and_group,
        a_task_is_claimed_with_its_submission,
        an_unknown_task_is_none,
        nothing_submitted_is_nothing_done,
    }
    apply {
        leases_rise_and_attempts_are_remembered_in_order,
        a_completed_task_keeps_its_payload_and_what_the_call_said,
        a_failed_task_keeps_the_reason,
        a_task_that_ends_without_a_workers_word_says_why,
        throttles_hand_backs_and_losses_are_counted_apart,
        a_backoff_is_kept,
        the_trace_of_a_lease_is_the_clients_context_and_that_lease_alone,
        terminal_states_never_change,
        a_cancel_on_condition_is_decided_by_the_state_that_is_written,
        a_refusal_does_not_touch_the_other_changes,
        each_change_of_a_call_sees_the_former,
        an_unknown_task_is_refused,
        a_restarted_supervisor_adopts_what_workers_hold,
        contents_results_and_keys_are_in_no_debug_output,
    }
    late {
        a_late_good_outcome_replaces_the_lost_line,
        a_lost_lease_that_is_adopted_and_not_held_stays_possibly_paid,
        a_stale_outcome_changes_nothing_but_its_usage_is_recorded,
        the_usage_of_a_cancelled_call_is_recorded,
        a_late_word_that_knows_less_takes_nothing_away,
        a_stale_outcome_without_a_line_leaves_no_trace,
    }
    queues {
        lanes_come_by_priority_then_tenant_model_and_demand,
        the_tasks_of_a_lane_come_by_age,
        a_task_is_ready_when_its_backoff_is_over,
        running_tasks_name_their_workers,
        overdue_tasks_are_found_until_they_end,
        counts_follow_every_change,
        totals_only_rise,
        the_oldest_waiting_task_is_known,
    }
    listing {
        the_newest_task_is_listed_first,
        a_list_is_walked_page_by_page,
        a_list_shows_neither_attempts_nor_results,
        tasks_are_listed_by_any_of_some_states,
        tasks_are_listed_by_how_they_failed,
        every_part_of_a_list_filter_must_match,
    }
    pruning {
        what_ended_first_is_due_first_and_what_is_open_never,
        what_ended_under_a_clock_in_the_future_can_be_passed,
        a_removed_task_leaves_nothing_behind,
        only_ended_tasks_are_removed,
        a_step_removes_no_more_than_so_many_rows,
        a_long_history_is_removed_over_several_steps,
    }
    outcomes {
        outcomes_come_in_the_order_in_which_tasks_ended,
        pages_follow_one_another_without_a_gap,
        filters_must_all_match,
        an_empty_page_has_seen_everything,
        a_page_ends_when_its_results_fill_it,
        results_are_cut_between_characters,
        outcomes_carry_what_the_client_said,
    }
}
