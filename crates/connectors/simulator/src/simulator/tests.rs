//! What holds for all events of a simulation, across days.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use arrow::array::Array;
use arrow::datatypes::DataType;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde_json::{Map, Value};

use super::*;

type Event = Map<String, Value>;

fn config() -> SimulatorConfig {
    SimulatorConfig {
        users: 300,
        days: 45,
        growth: 1.0,
        attrition: 0.5,
        duplicates: 0.0,
        ..SimulatorConfig::default()
    }
}

fn simulator(config: &SimulatorConfig) -> Simulator {
    Simulator::new(config.clone()).unwrap()
}

fn batches(
    simulator: &Simulator,
    day: NaiveDate,
    shard: Shard,
    topic: Topic,
    size: usize,
) -> Vec<RecordBatch> {
    let mut batches = Vec::new();
    simulator
        .generate::<ArrowError>(day, shard, &[topic], size, &mut |_, batch| {
            assert!(batch.num_rows() <= size);
            batches.push(batch);
            Ok(())
        })
        .unwrap();
    batches
}

fn json(batches: &[RecordBatch]) -> String {
    let mut out = Vec::new();
    for batch in batches {
        write_ndjson(batch, &mut out).unwrap();
    }
    String::from_utf8(out).unwrap()
}

fn lines(config: &SimulatorConfig, topic: Topic) -> String {
    let simulator = simulator(config);
    simulator.days().map(|day| json(&batches(&simulator, day, Shard::WHOLE, topic, 10_000))).collect()
}

fn events(config: &SimulatorConfig, topic: Topic) -> Vec<Event> {
    lines(config, topic).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

static PAGE_VIEWS: LazyLock<Vec<Event>> = LazyLock::new(|| events(&config(), Topic::PageViewEvents));

fn text<'a>(event: &'a Event, name: &str) -> &'a str {
    event[name].as_str().unwrap()
}

fn integer(event: &Event, name: &str) -> i64 {
    event[name].as_i64().unwrap()
}

/// The page views of each session that begins within the simulation, in order.
fn sessions() -> BTreeMap<i64, Vec<&'static Event>> {
    let mut sessions = BTreeMap::<i64, Vec<&Event>>::new();
    for event in PAGE_VIEWS.iter() {
        sessions.entry(integer(event, "sessionId")).or_default().push(event);
    }
    sessions.retain(|_, events| integer(events[0], "itemInSession") == 0);
    sessions
}

/// The sessions of each user in the order of time.
fn users() -> BTreeMap<i64, Vec<Vec<&'static Event>>> {
    let mut users = BTreeMap::<i64, Vec<_>>::new();
    for events in sessions().into_values() {
        if let Some(known) = events.iter().find(|event| event.contains_key("userId")) {
            users.entry(integer(known, "userId")).or_default().push(events);
        }
    }
    for sessions in users.values_mut() {
        sessions.sort_by_key(|events| integer(events[0], "ts"));
    }
    users
}

#[test]
fn the_columns_are_those_of_the_original_in_its_order() {
    let columns = |topic: Topic| {
        topic.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(
        columns(Topic::ListenEvents),
        "artist song duration ts sessionId auth level itemInSession city zip state userAgent lon lat userId lastName \
         firstName gender registration"
    );
    assert_eq!(
        columns(Topic::PageViewEvents),
        "ts sessionId page auth method status level itemInSession city zip state userAgent lon lat userId lastName \
         firstName gender registration artist song duration"
    );
    assert_eq!(
        columns(Topic::AuthEvents),
        "ts sessionId level itemInSession city zip state userAgent lon lat userId lastName firstName gender \
         registration success"
    );
    assert_eq!(
        columns(Topic::StatusChangeEvents),
        "ts sessionId auth level itemInSession city zip state userAgent lon lat userId lastName firstName gender \
         registration"
    );
}

#[test]
fn topics_are_found_by_their_names() {
    for topic in Topic::ALL {
        assert_eq!(Topic::from_name(topic.name()), Some(topic));
    }
    assert_eq!(Topic::from_name("listens"), None);
}

#[test]
fn json_has_the_keys_of_real_messages_and_leaves_out_what_is_null() {
    let keys = |line: &str| {
        let event: Event = serde_json::from_str(line).unwrap();
        event.keys().cloned().collect::<Vec<_>>().join(" ")
    };
    let page_views = lines(&config(), Topic::PageViewEvents);
    let with = |part: &str| keys(page_views.lines().find(|line| line.contains(part)).unwrap());
    assert_eq!(
        with("\"page\":\"NextSong\""),
        "ts sessionId page auth method status level itemInSession city zip state userAgent lon lat userId lastName \
         firstName gender registration artist song duration"
    );
    assert_eq!(
        with("\"auth\":\"Logged Out\""),
        "ts sessionId page auth method status level itemInSession city zip state userAgent lon lat"
    );
    let logins = lines(&config(), Topic::AuthEvents);
    let failed = logins.lines().find(|line| line.ends_with("\"success\":false}")).unwrap();
    assert_eq!(keys(failed), "ts sessionId level itemInSession city zip state userAgent lon lat success");
}

#[test]
fn a_configuration_gives_the_same_values_for_ever() {
    let simulator =
        simulator(&SimulatorConfig { users: 100, days: 5, growth: 2.0, duplicates: 0.01, ..config() });
    let mut fingerprint = 0xcbf2_9ce4_8422_2325_u64;
    let mut add = |bytes: &[u8]| {
        for byte in bytes {
            fingerprint = (fingerprint ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    let options = FormatOptions::new().with_null("null");
    for day in simulator.days() {
        for topic in Topic::ALL {
            for batch in batches(&simulator, day, Shard::WHOLE, topic, 1000) {
                for column in batch.columns() {
                    let float = *column.data_type() == DataType::Float64;
                    let values = ArrayFormatter::try_new(column, &options).unwrap();
                    for row in 0..batch.num_rows() {
                        if float && column.is_valid(row) {
                            let numbers =
                                column.as_any().downcast_ref::<arrow::array::Float64Array>().unwrap();
                            add(&numbers.value(row).to_bits().to_le_bytes());
                        } else {
                            add(values.value(row).to_string().as_bytes());
                        }
                        add(&[0]);
                    }
                }
            }
        }
    }
    assert_eq!(format!("{fingerprint:016x}"), "29446cdbb7d554bd");
}

#[test]
fn a_day_does_not_depend_on_how_many_days_there_are() {
    let day = config().start + chrono::Days::new(9);
    let [short, long] = [10, 400].map(|days| simulator(&SimulatorConfig { days, ..config() }));
    for topic in Topic::ALL {
        let rows = json(&batches(&long, day, Shard::WHOLE, topic, 1000));
        assert_eq!(rows, json(&batches(&short, day, Shard::WHOLE, topic, 1000)));
    }
}

#[test]
fn shards_one_after_the_other_are_the_whole_whatever_the_size_of_batches() {
    let simulator = simulator(&SimulatorConfig { duplicates: 0.05, ..config() });
    let day = config().start;
    for topic in Topic::ALL {
        let whole = json(&batches(&simulator, day, Shard::WHOLE, topic, 10_000));
        let parts: String =
            Shard::all(7).map(|shard| json(&batches(&simulator, day, shard, topic, 10))).collect();
        assert_eq!(whole, parts);
    }
}

#[test]
fn a_topic_has_the_same_rows_alone_and_among_the_others() {
    let simulator = simulator(&SimulatorConfig { duplicates: 0.05, ..config() });
    let day = config().start;
    let mut together = BTreeMap::<Topic, Vec<RecordBatch>>::new();
    simulator
        .generate::<ArrowError>(day, Shard::WHOLE, &Topic::ALL, 100, &mut |topic, batch| {
            together.entry(topic).or_default().push(batch);
            Ok(())
        })
        .unwrap();
    for (topic, batches_among) in together {
        assert_eq!(batches_among, batches(&simulator, day, Shard::WHOLE, topic, 100));
    }
}

#[test]
fn a_day_outside_of_the_simulation_has_no_events() {
    let simulator = simulator(&config());
    let start = config().start;
    for day in [start.pred_opt().unwrap(), start + chrono::Days::new(45)] {
        assert!(batches(&simulator, day, Shard::WHOLE, Topic::PageViewEvents, 100).is_empty());
    }
}

#[test]
fn what_the_sink_returns_ends_the_generation() {
    #[derive(Debug)]
    struct Full;
    impl From<ArrowError> for Full {
        fn from(error: ArrowError) -> Self {
            panic!("{error}")
        }
    }
    let mut calls = 0;
    let result = simulator(&config()).generate(config().start, Shard::WHOLE, &Topic::ALL, 1, &mut |_, _| {
        calls += 1;
        Err(Full)
    });
    assert!(result.is_err());
    assert_eq!(calls, 1);
}

#[test]
fn events_lie_on_their_day_in_whole_seconds() {
    let simulator = simulator(&config());
    for day in simulator.days().take(3) {
        let midnight = day.and_time(chrono::NaiveTime::MIN).and_utc().timestamp_millis();
        for batch in batches(&simulator, day, Shard::WHOLE, Topic::PageViewEvents, 1000) {
            let times = batch.column(0).as_any().downcast_ref::<arrow::array::Int64Array>().unwrap();
            for ts in times.values() {
                assert!((midnight..midnight + 86_400_000).contains(ts) && ts % 1000 == 0);
            }
        }
    }
}

#[test]
fn a_session_and_its_item_name_one_page_view() {
    let names: BTreeSet<_> = PAGE_VIEWS
        .iter()
        .map(|event| (integer(event, "sessionId"), integer(event, "itemInSession")))
        .collect();
    assert_eq!(names.len(), PAGE_VIEWS.len());
    for events in sessions().values() {
        for (item, event) in events.iter().enumerate() {
            assert_eq!(integer(event, "itemInSession"), item as i64);
        }
    }
}

#[test]
fn the_share_of_duplicates_is_as_asked_and_they_are_exact() {
    let clean = lines(&config(), Topic::PageViewEvents);
    let twice = lines(&SimulatorConfig { duplicates: 0.03, ..config() }, Topic::PageViewEvents);
    let distinct: BTreeSet<_> = twice.lines().collect();
    assert_eq!(distinct, clean.lines().collect());
    let share = twice.lines().count() as f64 / distinct.len() as f64 - 1.0;
    assert!((share - 0.03).abs() < 0.005, "{share}");
}

#[test]
fn the_level_of_an_event_is_what_the_last_change_said() {
    let mut changes = 0;
    for (user, sessions) in users() {
        let mut level: Option<&str> = None;
        for event in sessions.into_iter().flatten() {
            let now = text(event, "level");
            assert!(level.is_none_or(|level| level == now), "user {user}: {event:?}");
            level = Some(match text(event, "page") {
                "Submit Upgrade" => "paid",
                "Submit Downgrade" => "free",
                _ => now,
            });
            changes += u32::from(level != Some(now));
        }
    }
    assert!(changes > 5, "{changes}");
}

#[test]
fn the_sessions_of_a_user_lie_half_an_hour_apart() {
    for sessions in users().into_values() {
        for pair in sessions.windows(2) {
            let end = integer(pair[0][pair[0].len() - 1], "ts");
            let next = integer(pair[1][0], "ts");
            // At 04:00 UTC a session is cut, and the next may begin at once.
            let day = |ts: i64| (ts - 4 * 3_600_000) / 86_400_000;
            assert!(end < next && (next - end > 1_800_000 || day(end) < day(next)));
        }
    }
}

#[test]
fn redirects_come_after_a_second_and_songs_play_to_their_end() {
    for events in sessions().values() {
        for pair in events.windows(2) {
            let passed = (integer(pair[1], "ts") - integer(pair[0], "ts")) / 1000;
            if integer(pair[1], "status") == 307 {
                assert_eq!(passed, 1);
            } else if text(pair[0], "page") == "NextSong" {
                assert_eq!(passed, pair[0]["duration"].as_f64().unwrap() as i64);
            }
        }
    }
}

#[test]
fn a_user_is_shown_when_logged_in_or_cancelled_and_songs_on_next_song() {
    for event in PAGE_VIEWS.iter() {
        let shown = matches!(text(event, "auth"), "Logged In" | "Cancelled");
        for name in ["userId", "lastName", "firstName", "gender", "registration"] {
            assert_eq!(event.contains_key(name), shown);
        }
        for name in ["artist", "song", "duration"] {
            assert_eq!(event.contains_key(name), text(event, "page") == "NextSong");
        }
    }
}

#[test]
fn every_page_of_the_service_is_seen() {
    let config = SimulatorConfig { users: 1_000, ..config() };
    let pages: BTreeSet<String> =
        events(&config, Topic::PageViewEvents).iter().map(|event| text(event, "page").to_owned()).collect();
    assert_eq!(pages.len(), 17, "{pages:?}");
}

#[test]
fn newcomers_register_at_the_time_of_their_registration_and_others_did_before() {
    let mut newcomers = 0;
    for (user, sessions) in users() {
        let known = sessions.iter().flatten().find(|event| event.contains_key("userId")).unwrap();
        let registration = integer(known, "registration");
        if user <= 300 {
            assert!(registration < integer(&PAGE_VIEWS[0], "ts"));
            continue;
        }
        let first = &sessions[0];
        assert_eq!((text(first[0], "page"), text(first[0], "auth")), ("Home", "Guest"));
        let submitted = first.iter().find(|event| text(event, "page") == "Submit Registration").unwrap();
        assert_eq!(integer(submitted, "ts"), registration);
        newcomers += 1;
    }
    assert!((25..45).contains(&newcomers), "{newcomers}");
}

#[test]
fn nothing_comes_from_a_user_who_cancelled() {
    let mut cancelled = 0;
    for sessions in users().into_values() {
        let events: Vec<_> = sessions.into_iter().flatten().collect();
        if let Some(at) = events.iter().position(|event| text(event, "auth") == "Cancelled") {
            assert_eq!(text(events[at], "page"), "Cancellation Confirmation");
            assert_eq!(at, events.len() - 1);
            cancelled += 1;
        }
    }
    assert!((10..50).contains(&cancelled), "{cancelled}");
}

#[test]
fn logins_fail_and_are_told_again_as_often_as_in_the_original() {
    let config = SimulatorConfig { users: 2_000, ..config() };
    let page_views = events(&config, Topic::PageViewEvents);
    let pages: BTreeMap<_, _> = page_views
        .iter()
        .map(|event| ((integer(event, "sessionId"), integer(event, "itemInSession")), text(event, "page")))
        .collect();
    let logins = events(&config, Topic::AuthEvents);
    let count = |test: &dyn Fn(&Event, &str) -> bool| {
        let page = |event: &Event| pages[&(integer(event, "sessionId"), integer(event, "itemInSession"))];
        logins.iter().filter(|event| test(event, page(event))).count() as f64
    };
    let succeeded = count(&|event, page| event["success"] == true && page == "Home");
    let failed = count(&|event, page| event["success"] == false && page != "Login");
    let told_again = count(&|_, page| page == "Login" || page == "Logout");
    assert!((failed / (failed + succeeded) - 0.1).abs() < 0.02, "{failed} of {succeeded}");
    assert!((told_again / logins.len() as f64 - 0.08).abs() < 0.02, "{told_again} of {}", logins.len());
    assert!(logins.iter().all(|event| event["success"].as_bool().unwrap() == event.contains_key("userId")));
}

#[test]
fn listens_are_the_page_views_of_next_song() {
    let listens: Vec<Event> = events(&config(), Topic::ListenEvents);
    let mut songs = PAGE_VIEWS.iter().filter(|event| text(event, "page") == "NextSong");
    for listen in &listens {
        let song = songs.next().unwrap();
        assert!(listen.iter().all(|(name, value)| song[name] == *value));
    }
    assert!(songs.next().is_none());
}

#[test]
fn status_changes_bear_the_old_level() {
    let mut pages = PAGE_VIEWS.iter().filter(|event| text(event, "page").starts_with("Submit "));
    for change in events(&config(), Topic::StatusChangeEvents) {
        let page = pages.find(|event| text(event, "page") != "Submit Registration").unwrap();
        let old = if text(page, "page") == "Submit Upgrade" { "free" } else { "paid" };
        assert_eq!((text(&change, "level"), &change["ts"]), (old, &page["ts"]));
    }
}

#[test]
fn weekends_are_quieter_and_so_is_the_night() {
    let mut by_weekday = [0; 7];
    let mut by_hour = [0; 24];
    for event in PAGE_VIEWS.iter() {
        let hours = integer(event, "ts") / 3_600_000;
        by_hour[(hours % 24) as usize] += 1;
        // 1970-01-01 was a Thursday; a user's day begins at 04:00.
        by_weekday[(((hours - 4) / 24 + 3) % 7) as usize] += 1;
    }
    assert!(by_weekday[5..].iter().max() < by_weekday[..5].iter().min(), "{by_weekday:?}");
    assert!(by_hour[15..18].iter().sum::<i32>() > 2 * by_hour[2..5].iter().sum::<i32>(), "{by_hour:?}");
}

#[test]
fn texts_have_what_breaks_careless_readers() {
    let count = |test: &dyn Fn(&Event) -> bool| PAGE_VIEWS.iter().filter(|event| test(event)).count();
    assert_eq!(count(&|event| text(event, "zip").len() == 5), PAGE_VIEWS.len());
    assert!(count(&|event| text(event, "zip").starts_with('0')) > 0);
    assert!(count(&|event| text(event, "userAgent").starts_with('"')) > PAGE_VIEWS.len() / 2);
    let mojibake = |event: &Event| event.get("song").is_some_and(|song| song.as_str().unwrap().contains('Ã'));
    assert!(count(&mojibake) > 0);
    let clean = SimulatorConfig { mojibake: false, days: 3, ..config() };
    assert!(!events(&clean, Topic::PageViewEvents).iter().any(mojibake));
}

#[test]
fn settings_that_make_no_sense_are_rejected() {
    let problem = |change: fn(&mut SimulatorConfig)| {
        let mut config = config();
        change(&mut config);
        Simulator::new(config).unwrap_err().to_string()
    };
    assert_eq!(
        problem(|config| config.days = 0),
        "`days` is 0; expected 1 to 36525, ending within the calendar"
    );
    assert_eq!(problem(|config| config.attrition = 1.5), "`attrition` is 1.5; expected 0 to 1");
    assert_eq!(problem(|config| config.duplicates = f64::NAN), "`duplicates` is NaN; expected 0 to 1");
    assert_eq!(problem(|config| config.growth = -1.0), "`growth` is -1; expected 0 or more");
    assert_eq!(
        problem(|config| config.users = 0),
        "`users` and `growth` give 0 users on the last day; expected 1 to 1000000000"
    );
}
