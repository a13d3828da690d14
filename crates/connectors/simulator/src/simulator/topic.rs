//! The four streams of events, and their columns.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::population::Profile;
use super::state::State;
use super::walk::Event;

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
pub(super) struct Row<'a> {
    pub(super) profile: &'a Profile,
    pub(super) session: i64,
    pub(super) event: &'a Event<'a>,
}

/// A column: its name, its type, and what a row has there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    name: &'static str,
    nullable: bool,
    pub(super) read: Read,
}

/// How a row gives a column's value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Read {
    Text(for<'a> fn(&Row<'a>) -> Option<&'a str>),
    Integer(fn(&Row<'_>) -> Option<i64>),
    Number(fn(&Row<'_>) -> Option<f64>),
    Flag(fn(&Row<'_>) -> Option<bool>),
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
                    Read::Text(_) => DataType::Utf8,
                    Read::Integer(_) => DataType::Int64,
                    Read::Number(_) => DataType::Float64,
                    Read::Flag(_) => DataType::Boolean,
                };
                Field::new(column.name, data_type, column.nullable)
            })
            .collect();
        Arc::new(Schema::new(fields))
    }

    pub(super) fn columns(self) -> Vec<Column> {
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

    pub(super) fn carries(self, event: &Event<'_>) -> bool {
        match self {
            Self::ListenEvents => event.song.is_some(),
            Self::PageViewEvents => true,
            Self::AuthEvents => event.login.is_some(),
            Self::StatusChangeEvents => matches!(event.state, State::SubmitUpgrade | State::SubmitDowngrade),
        }
    }
}

impl<'a> Row<'a> {
    fn user(&self) -> Option<&'a Profile> {
        self.event.state.auth().shows_user().then_some(self.profile)
    }
}

impl Column {
    const fn always(name: &'static str, read: Read) -> Self {
        Self { name, nullable: false, read }
    }

    const fn sometimes(name: &'static str, read: Read) -> Self {
        Self { name, nullable: true, read }
    }
}

const TS: Column = Column::always("ts", Read::Integer(|row| Some(row.event.second * 1000)));
const SESSION_ID: Column = Column::always("sessionId", Read::Integer(|row| Some(row.session)));
const PAGE: Column = Column::always("page", Read::Text(|row| Some(row.event.state.page())));
const AUTH: Column = Column::always("auth", Read::Text(|row| Some(row.event.state.auth().name())));
const METHOD: Column = Column::always("method", Read::Text(|row| Some(row.event.state.method())));
const STATUS: Column = Column::always("status", Read::Integer(|row| Some(row.event.state.status())));
const LEVEL: Column = Column::always("level", Read::Text(|row| Some(row.event.level.name())));
const ITEM: Column = Column::always("itemInSession", Read::Integer(|row| Some(row.event.item)));
const SUCCESS: Column = Column::sometimes("success", Read::Flag(|row| row.event.login));

const DEVICE: [Column; 6] = [
    Column::always("city", Read::Text(|row| Some(row.profile.place.city))),
    Column::always("zip", Read::Text(|row| Some(row.profile.place.zip))),
    Column::always("state", Read::Text(|row| Some(row.profile.place.state))),
    Column::always("userAgent", Read::Text(|row| Some(row.profile.agent))),
    Column::always("lon", Read::Number(|row| Some(row.profile.place.lon))),
    Column::always("lat", Read::Number(|row| Some(row.profile.place.lat))),
];

const USER: [Column; 5] = [
    Column::sometimes("userId", Read::Integer(|row| row.user().map(|user| user.id))),
    Column::sometimes("lastName", Read::Text(|row| row.user().map(|user| user.last_name))),
    Column::sometimes("firstName", Read::Text(|row| row.user().map(|user| user.first_name))),
    Column::sometimes("gender", Read::Text(|row| row.user().map(|user| user.gender))),
    Column::sometimes("registration", Read::Integer(|row| row.user().map(|user| user.registration * 1000))),
];

const SONG: [Column; 3] = [
    Column::sometimes("artist", Read::Text(|row| row.event.song.map(|song| &*song.artist))),
    Column::sometimes("song", Read::Text(|row| row.event.song.map(|song| &*song.title))),
    Column::sometimes("duration", Read::Number(|row| row.event.song.map(|song| song.duration))),
];
