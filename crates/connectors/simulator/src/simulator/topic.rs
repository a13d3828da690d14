//! The four streams of events, and their columns.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::population::UserProfile;
use super::state::PageState;
use super::walk::PageView;

/// A stream of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Topic {
    /// A song was played.
    ListenEvents,
    /// A page was seen; every other event is one of these too.
    PageViewEvents,
    /// A visitor tried to log in.
    AuthEvents,
    /// A user asked for another level.
    StatusChangeEvents,
}

/// An event together with whose it is.
#[derive(Debug)]
pub(super) struct TopicRow<'a> {
    pub(super) profile: &'a UserProfile,
    pub(super) session: i64,
    pub(super) event: &'a PageView<'a>,
}

/// A column: its name, its type, and what a row has there.
#[derive(Clone, Copy, Debug)]
pub(super) struct TopicColumn {
    name: &'static str,
    nullable: bool,
    pub(super) read: ColumnValue,
}

/// How a row gives a column's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum ColumnValue {
    Text(for<'a> fn(&TopicRow<'a>) -> Option<&'a str>),
    Integer(fn(&TopicRow<'_>) -> Option<i64>),
    Number(fn(&TopicRow<'_>) -> Option<f64>),
    Flag(fn(&TopicRow<'_>) -> Option<bool>),
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 4] =
        [Self::ListenEvents, Self::PageViewEvents, Self::AuthEvents, Self::StatusChangeEvents];

    /// The name, as the topics and tables are called.
    pub fn name(self) -> &'static str {
        match self {
            Self::ListenEvents => "listen_events",
            Self::PageViewEvents => "page_view_events",
            Self::AuthEvents => "auth_events",
            Self::StatusChangeEvents => "status_change_events",
        }
    }

    /// The topic of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.name() == name)
    }

    /// The columns, in the order in which JSON has them.
    pub fn schema(self) -> SchemaRef {
        let fields: Vec<Field> = self
            .columns()
            .iter()
            .map(|column| {
                let data_type = match column.read {
                    ColumnValue::Text(_) => DataType::Utf8,
                    ColumnValue::Integer(_) => DataType::Int64,
                    ColumnValue::Number(_) => DataType::Float64,
                    ColumnValue::Flag(_) => DataType::Boolean,
                };
                Field::new(column.name, data_type, column.nullable)
            })
            .collect();
        Arc::new(Schema::new(fields))
    }

    pub(super) fn columns(self) -> Vec<TopicColumn> {
        match self {
            Self::ListenEvents => [&SONG, &[TS, SESSION_ID, AUTH, LEVEL, ITEM][..], &DEVICE, &USER].concat(),
            Self::PageViewEvents => {
                let page = [TS, SESSION_ID, PAGE, AUTH, METHOD, STATUS, LEVEL, ITEM];
                [&page[..], &DEVICE, &USER, &SONG].concat()
            }
            Self::AuthEvents => [&[TS, SESSION_ID, LEVEL, ITEM][..], &DEVICE, &USER, &[SUCCESS]].concat(),
            Self::StatusChangeEvents => [&[TS, SESSION_ID, AUTH, LEVEL, ITEM][..], &DEVICE, &USER].concat(),
        }
    }

    pub(super) fn carries(self, event: &PageView<'_>) -> bool {
        match self {
            Self::ListenEvents => event.song.is_some(),
            Self::PageViewEvents => true,
            Self::AuthEvents => event.login.is_some(),
            Self::StatusChangeEvents => {
                matches!(event.state, PageState::SubmitUpgrade | PageState::SubmitDowngrade)
            }
        }
    }
}

impl<'a> TopicRow<'a> {
    fn user(&self) -> Option<&'a UserProfile> {
        self.event.state.auth().shows_user().then_some(self.profile)
    }
}

impl TopicColumn {
    const fn always(name: &'static str, read: ColumnValue) -> Self {
        Self { name, nullable: false, read }
    }

    const fn sometimes(name: &'static str, read: ColumnValue) -> Self {
        Self { name, nullable: true, read }
    }
}

const TS: TopicColumn = TopicColumn::always("ts", ColumnValue::Integer(|row| Some(row.event.second * 1000)));
const SESSION_ID: TopicColumn =
    TopicColumn::always("sessionId", ColumnValue::Integer(|row| Some(row.session)));
const PAGE: TopicColumn = TopicColumn::always("page", ColumnValue::Text(|row| Some(row.event.state.page())));
const AUTH: TopicColumn =
    TopicColumn::always("auth", ColumnValue::Text(|row| Some(row.event.state.auth().name())));
const METHOD: TopicColumn =
    TopicColumn::always("method", ColumnValue::Text(|row| Some(row.event.state.method())));
const STATUS: TopicColumn =
    TopicColumn::always("status", ColumnValue::Integer(|row| Some(row.event.state.status())));
const LEVEL: TopicColumn =
    TopicColumn::always("level", ColumnValue::Text(|row| Some(row.event.level.name())));
const ITEM: TopicColumn =
    TopicColumn::always("itemInSession", ColumnValue::Integer(|row| Some(row.event.item)));
const SUCCESS: TopicColumn = TopicColumn::sometimes("success", ColumnValue::Flag(|row| row.event.login));

const DEVICE: [TopicColumn; 6] = [
    TopicColumn::always("city", ColumnValue::Text(|row| Some(row.profile.place.city))),
    TopicColumn::always("zip", ColumnValue::Text(|row| Some(row.profile.place.zip))),
    TopicColumn::always("state", ColumnValue::Text(|row| Some(row.profile.place.state))),
    TopicColumn::always("userAgent", ColumnValue::Text(|row| Some(row.profile.agent))),
    TopicColumn::always("lon", ColumnValue::Number(|row| Some(row.profile.place.lon))),
    TopicColumn::always("lat", ColumnValue::Number(|row| Some(row.profile.place.lat))),
];

const USER: [TopicColumn; 5] = [
    TopicColumn::sometimes("userId", ColumnValue::Integer(|row| row.user().map(|user| user.id))),
    TopicColumn::sometimes("lastName", ColumnValue::Text(|row| row.user().map(|user| user.last_name))),
    TopicColumn::sometimes("firstName", ColumnValue::Text(|row| row.user().map(|user| user.first_name))),
    TopicColumn::sometimes("gender", ColumnValue::Text(|row| row.user().map(|user| user.gender))),
    TopicColumn::sometimes(
        "registration",
        ColumnValue::Integer(|row| row.user().map(|user| user.registration * 1000)),
    ),
];

const SONG: [TopicColumn; 3] = [
    TopicColumn::sometimes("artist", ColumnValue::Text(|row| row.event.song.map(|song| &*song.artist))),
    TopicColumn::sometimes("song", ColumnValue::Text(|row| row.event.song.map(|song| &*song.title))),
    TopicColumn::sometimes("duration", ColumnValue::Number(|row| row.event.song.map(|song| song.duration))),
];
