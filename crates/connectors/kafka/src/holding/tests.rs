//! What is read next, and what is refused.

use super::*;

fn held(partition: i32, low: i64, high: i64) -> HeldOffsets {
    HeldOffsets { topic: "t".into(), partition, low, high }
}

fn recorded(id: &str) -> Recorded {
    let (version, batch) = (READ.to_owned(), "r1".to_owned());
    Recorded { id: id.to_owned(), version, batch, mark: None, withheld: 0, schemas: None, is_short: false }
}

fn all(ids: &[&str]) -> Vec<Recorded> {
    ids.iter().map(|id| recorded(id)).collect()
}

fn compared(held: &[HeldOffsets], recorded: &[Recorded], accept: bool) -> Result<Holding, String> {
    holding(&Comparison { held, recorded, changed: &BTreeSet::new(), accept })
}

/// Units as `id` or, where their messages are lost, `id lost`; new ones with a `+`; then what is kept.
fn shown(holding: Holding) -> (Vec<String>, Vec<String>) {
    let unit = |unit: Unit| {
        let sign = if unit.batch.is_none() { "+" } else { "" };
        let lost = if unit.version == LOST { " lost" } else { "" };
        format!("{sign}{}{lost}", unit.id)
    };
    (holding.units.into_iter().map(unit).collect(), holding.kept)
}

fn planned(held: &[HeldOffsets], ids: &[&str]) -> (Vec<String>, Vec<String>) {
    shown(compared(held, &all(ids), false).unwrap())
}

fn refused(held: &[HeldOffsets], recorded: &[Recorded]) -> String {
    compared(held, recorded, false).unwrap_err()
}

#[test]
fn a_first_landing_reads_what_is_held_and_notes_where_nothing_is() {
    let (units, kept) = planned(&[held(0, 0, 10), held(1, 4, 4), held(2, 7, 9)], &[]);
    assert_eq!(units, ["+t/0@0-10", "+t/1@4-4", "+t/2@7-9"]);
    assert!(kept.is_empty());
}

#[test]
fn a_later_landing_goes_on_where_the_last_one_ended() {
    let (units, kept) = planned(&[held(0, 0, 15), held(1, 4, 4)], &["t/0@0-10", "t/1@4-4"]);
    assert_eq!(units, ["t/0@0-10", "+t/0@10-15", "t/1@4-4"]);
    assert!(kept.is_empty());
}

#[test]
fn ranges_that_expired_after_they_were_landed_are_kept() {
    let (units, kept) = planned(&[held(0, 12, 15)], &["t/0@0-10", "t/0@10-13", "t/0@13-14"]);
    assert_eq!(
        (units, kept),
        (vec!["t/0@13-14".into(), "+t/0@14-15".into()], vec!["t/0@0-10".into(), "t/0@10-13".into()])
    );
}

#[test]
fn everything_landed_may_expire() {
    let (units, kept) = planned(&[held(0, 10, 10)], &["t/0@0-10"]);
    assert_eq!((units.len(), kept.len()), (0, 1));
}

#[test]
fn a_partition_that_was_added_is_read_from_its_beginning() {
    let (units, _) = planned(&[held(0, 0, 5), held(1, 0, 3)], &["t/0@0-5"]);
    assert_eq!(units, ["t/0@0-5", "+t/1@0-3"]);
    insta::assert_snapshot!(refused(&[held(0, 0, 5), held(1, 2, 3)], &all(&["t/0@0-5"])), @"offsets 0 to 1 of t/1 expired before they were landed: Kafka holds it from 2 on. Nothing was landed. To keep what was landed, land what is left and note the gap, run once with `on_lost_offsets: accept` at the source table");
}

#[test]
fn an_offset_that_expired_before_it_was_landed_is_an_error_or_a_note() {
    let lost = [held(0, 14, 20)];
    insta::assert_snapshot!(refused(&lost, &all(&["t/0@0-10"])), @"offsets 10 to 13 of t/0 expired before they were landed: Kafka holds it from 14 on. Nothing was landed. To keep what was landed, land what is left and note the gap, run once with `on_lost_offsets: accept` at the source table");
    let accepted = compared(&lost, &all(&["t/0@0-10"]), true).unwrap();
    insta::assert_snapshot!(accepted.warnings.join("\n"), @"offsets 10 to 13 of t/0 expired before they were landed: Kafka holds it from 14 on (accepted: `on_lost_offsets: accept`)");
    assert_eq!(shown(accepted).0, ["+t/0@10-14 lost", "+t/0@14-20"]);
    // What was noted is no gap any more.
    let mut noted = all(&["t/0@0-10", "t/0@10-14", "t/0@14-20"]);
    noted[1].version = LOST.to_owned();
    let next = compared(&lost, &noted, false).unwrap();
    assert_eq!(shown(next).0, ["t/0@10-14 lost", "t/0@14-20"]);
}

#[test]
fn a_topic_that_was_made_anew_is_an_error_or_a_new_generation() {
    let before = all(&["t/0@0-10", "t/1@0-8"]);
    let shorter = [held(0, 0, 4), held(1, 0, 8)];
    insta::assert_snapshot!(refused(&shorter, &before), @"t/0 is not the partition that was landed: offsets up to 10 were landed, but it ends at 4; the topic was deleted and created again, or truncated. Nothing was landed. To keep what was landed, land what is left and note the gap, run once with `on_lost_offsets: accept` at the source table");
    let (units, kept) = shown(compared(&shorter, &before, true).unwrap());
    assert_eq!(units, ["+t/0#2@0-4", "t/1@0-8"]);
    assert_eq!(kept, ["t/0@0-10"]);

    let longer = [held(0, 0, 20), held(1, 0, 8)];
    let changed = BTreeSet::from([(Arc::from("t"), 0)]);
    let compare =
        |accept| holding(&Comparison { held: &longer, recorded: &before, changed: &changed, accept });
    insta::assert_snapshot!(compare(false).unwrap_err(), @"t/0 is not the partition that was landed: the last message that was landed is no longer the same; the topic was deleted and created again, or truncated. Nothing was landed. To keep what was landed, land what is left and note the gap, run once with `on_lost_offsets: accept` at the source table");
    assert_eq!(shown(compare(true).unwrap()).0, ["+t/0#2@0-20", "t/1@0-8"]);

    let second = all(&["t/0@0-10", "t/0#2@0-4"]);
    let (units, kept) = shown(compared(&[held(0, 0, 6)], &second, false).unwrap());
    assert_eq!((units, kept), (vec!["t/0#2@0-4".into(), "+t/0#2@4-6".into()], vec!["t/0@0-10".into()]));
}

#[test]
fn a_partition_that_is_gone_is_an_error() {
    insta::assert_snapshot!(refused(&[held(0, 0, 5)], &all(&["t/0@0-5", "t/1@0-5"])), @"t/1 was landed, but the topic no longer has that partition: it was deleted and created again. Nothing was landed. To keep what was landed, land what is left and note the gap, run once with `on_lost_offsets: accept` at the source table");
    let accepted = compared(&[held(0, 0, 5)], &all(&["t/0@0-5", "t/1@0-5"]), true).unwrap();
    assert_eq!(shown(accepted).1, ["t/1@0-5"]);
}

#[test]
fn a_topic_that_the_table_no_longer_names_is_left_as_it_is() {
    let (units, kept) = planned(&[held(0, 0, 5)], &["t/0@0-5", "old/0@0-9"]);
    assert_eq!((units, kept), (vec!["t/0@0-5".into()], vec!["old/0@0-9".into()]));
}

#[test]
fn a_record_with_a_hole_is_damaged() {
    insta::assert_snapshot!(refused(&[held(0, 0, 20)], &all(&["t/0@0-5", "t/0@7-9"])), @"the record of what was landed is damaged: t/0@7-9 does not follow t/0@0-5");
}

#[test]
fn rows_that_waited_for_a_later_date_may_not_expire_in_silence() {
    let mut waiting = all(&["t/0@0-10", "t/0@10-20"]);
    waiting[0].withheld = 3;
    insta::assert_snapshot!(refused(&[held(0, 5, 20)], &waiting), @"3 rows of t/0@0-10 waited for a later --date, and have expired from Kafka. Nothing was landed. To keep what was landed, land what is left and note the gap, run once with `on_lost_offsets: accept` at the source table");
    assert!(compared(&[held(0, 0, 20)], &waiting, false).is_ok());
    waiting[0].withheld = 0;
    waiting[1].withheld = 2;
    insta::assert_snapshot!(refused(&[held(0, 5, 20)], &waiting), @"2 rows of t/0@10-20 wait for a later --date, but share a batch with offsets that have expired. Nothing was landed. To keep what was landed, land what is left and note the gap, run once with `on_lost_offsets: accept` at the source table");
    waiting[1].batch = "r2".to_owned();
    assert!(compared(&[held(0, 5, 20)], &waiting, false).is_ok());
}

#[test]
fn many_faults_are_told_in_short() {
    let held: Vec<HeldOffsets> = (0..5).map(|partition| held(partition, 9, 9)).collect();
    let ids: Vec<Recorded> = (0..5).map(|partition| recorded(&format!("t/{partition}@0-1"))).collect();
    insta::assert_snapshot!(refused(&held, &ids), @"offsets 1 to 8 of t/0 expired before they were landed: Kafka holds it from 9 on; offsets 1 to 8 of t/1 expired before they were landed: Kafka holds it from 9 on; offsets 1 to 8 of t/2 expired before they were landed: Kafka holds it from 9 on; and 2 more partitions. Nothing was landed. To keep what was landed, land what is left and note the gap, run once with `on_lost_offsets: accept` at the source table");
}

#[test]
fn the_mark_of_the_last_message_counts_that_is_still_held() {
    let mut units = all(&["t/0@0-10", "t/0@10-20", "t/0@20-22"]);
    units[0].mark = Some("9 1 aa".to_owned());
    units[1].mark = Some("19 - bb".to_owned());
    let offsets =
        |low| marks(&[held(0, low, 30)], &units).values().map(|mark| mark.offset).collect::<Vec<_>>();
    assert_eq!((offsets(0), offsets(20)), (vec![19], vec![]));
}

#[test]
fn ranges_that_were_found_short_are_kept_although_kafka_holds_their_offsets() {
    let mut before = all(&["t/0@0-10", "t/0@10-20"]);
    before[0].is_short = true;
    let (units, kept) = shown(compared(&[held(0, 0, 25)], &before, false).unwrap());
    assert_eq!((units, kept), (vec!["t/0@10-20".into(), "+t/0@20-25".into()], vec!["t/0@0-10".into()]));
    before[0].withheld = 3;
    assert!(
        refused(&[held(0, 0, 25)], &before)
            .starts_with("3 rows of t/0@0-10 waited for a later --date, and are no longer all in Kafka")
    );
}
