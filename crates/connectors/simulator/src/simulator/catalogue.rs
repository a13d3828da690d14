//! The songs, and which of them is played.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::names::{MEN, SURNAMES, WOMEN};
use super::random::{Purpose, Random, hash};
use super::words::{
    ADJECTIVES, ADVERBIALS, COMMON_TITLES, FOREIGN_SURNAMES, FOREIGN_TITLES, NOUNS, ODD_ARTISTS, VERBS,
};

const SONGS: usize = 20_000;
const ARTISTS: usize = 3_000;
/// Each song of this many is the one before it, recorded again with another length.
const RERECORDED: usize = 400;
/// The longest song in seconds.
const LONGEST: u32 = 900;

/// A song.
#[derive(Debug)]
pub(super) struct Song {
    pub(super) artist: Box<str>,
    pub(super) title: Box<str>,
    /// Seconds, with five decimals.
    pub(super) duration: f64,
    /// Whole seconds until the next song may start.
    pub(super) seconds: i64,
}

/// All songs, the most popular first.
#[derive(Debug)]
pub(super) struct Catalogue {
    songs: Vec<Song>,
    popularity: Popularity,
}

impl Catalogue {
    /// The songs of all simulators, made where one is first asked for.
    pub(super) fn shared(mojibake: bool) -> &'static LazyLock<Self> {
        static CLEAN: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::new(false));
        static SPOILT: LazyLock<Catalogue> = LazyLock::new(|| Catalogue::new(true));
        if mojibake { &SPOILT } else { &CLEAN }
    }

    /// The same songs for every configuration; with `mojibake`, their names as UTF-8 read as Latin-1.
    fn new(mojibake: bool) -> Self {
        let mut random = Random::new(hash(0, Purpose::Catalogue, 0, 0));
        let artists = artists(&mut random);
        let text = |name: &str| if mojibake { utf8_read_as_latin1(name) } else { name.into() };
        let mut songs: Vec<Song> = Vec::with_capacity(SONGS);
        for index in 0..SONGS {
            let duration = duration(&mut random);
            let (artist, title) = match songs.last() {
                Some(song) if index % RERECORDED == RERECORDED - 1 => {
                    (song.artist.clone(), song.title.clone())
                }
                _ => (text(prolific(&artists, &mut random)), text(&title(&mut random))),
            };
            let seconds = i64::from(duration / 100_000);
            songs.push(Song { artist, title, duration: f64::from(duration) / 100_000.0, seconds });
        }
        Self { songs, popularity: Popularity::new(SONGS) }
    }

    /// A song, the popular ones more often.
    pub(super) fn pick(&self, random: &mut Random) -> &Song {
        &self.songs[self.popularity.rank(random)]
    }
}

fn artists(random: &mut Random) -> Vec<String> {
    let mut known = BTreeSet::new();
    let mut artists = Vec::with_capacity(ARTISTS);
    while artists.len() < ARTISTS {
        let every = ARTISTS / ODD_ARTISTS.len() / 2;
        let name = match ODD_ARTISTS.get(artists.len() / every) {
            Some(odd) if artists.len() % every == 0 => (*odd).to_owned(),
            _ => artist(random),
        };
        if known.insert(name.clone()) {
            artists.push(name);
        }
    }
    artists
}

fn artist(random: &mut Random) -> String {
    let pattern = random.below(20);
    let [adjective, noun, first, last] = [
        *random.choose(ADJECTIVES),
        *random.choose(NOUNS),
        if random.below(2) == 0 { *random.choose(WOMEN) } else { *random.choose(MEN) },
        *random.choose(SURNAMES),
    ];
    match pattern {
        0..=6 => format!("{first} {last}"),
        7..=9 => format!("The {adjective} {noun}s"),
        10..=12 => format!("{adjective} {noun}"),
        13 => format!("The {noun}s"),
        14 => format!("{noun} & {}", random.choose(NOUNS)),
        15 => format!("{first} And The {noun}s"),
        16 => format!("DJ {noun}"),
        17 => format!("{first} {}", random.choose(FOREIGN_SURNAMES)),
        18 => format!("{last} {noun} Quartet"),
        _ => format!("{first} {last} Feat. {adjective} {noun}"),
    }
}

/// An artist; some have many songs, most have few.
fn prolific<'a>(artists: &'a [String], random: &mut Random) -> &'a str {
    let count = artists.len() as u32;
    &artists[random.below(count).min(random.below(count)) as usize]
}

fn title(random: &mut Random) -> String {
    let pattern = random.below(100);
    let [adjective, noun, other, verb] =
        [*random.choose(ADJECTIVES), *random.choose(NOUNS), *random.choose(NOUNS), *random.choose(VERBS)];
    match pattern {
        0..=19 => format!("{adjective} {noun}"),
        20..=29 => format!("{noun} Of The {other}"),
        30..=41 => format!("{verb} The {noun}"),
        42..=51 => format!("{verb} Me {}", random.choose(ADVERBIALS)),
        52..=57 => format!("The {noun}"),
        58..=63 => format!("{noun} & {other}"),
        64..=68 => format!("Don't {verb} My {noun}"),
        69..=73 => format!("{adjective} {noun} (Live)"),
        74..=77 => format!("{verb} The {noun} (Album Version)"),
        78..=81 => format!("My {adjective} {noun}"),
        82..=84 => format!("{adjective} \"{noun}\""),
        85..=87 => (*random.choose(COMMON_TITLES)).to_owned(),
        88..=91 => format!("{} ({noun})", random.choose(FOREIGN_TITLES)),
        92..=93 => format!("{} / {noun}", random.choose(FOREIGN_TITLES)),
        94..=97 => format!("{noun}, {other}, {verb}"),
        _ => format!("{noun} No. {}", 1 + random.below(9)),
    }
}

/// Hundred thousandths of a second: around four minutes, a few much longer.
fn duration(random: &mut Random) -> u32 {
    const SECOND: u32 = 100_000;
    let long = random.below(40) == 0;
    let usual = 90 * SECOND + (0..3).map(|_| random.below(105 * SECOND)).sum::<u32>();
    if long { usual + random.below((LONGEST - 405) * SECOND) } else { usual }
}

/// The text that comes of reading UTF-8 bytes as if each were a character.
fn utf8_read_as_latin1(text: &str) -> Box<str> {
    text.bytes().map(char::from).collect()
}

/// Ranks drawn with a chance that falls as 1 / (rank + shift), by Walker's aliases.
#[derive(Debug)]
pub(super) struct Popularity {
    /// For each rank, `2^32` times the chance that it stands for itself, and the rank that it stands for otherwise.
    slots: Vec<(u64, u32)>,
}

impl Popularity {
    const SHIFT: u64 = 12;

    pub(super) fn new(ranks: usize) -> Self {
        let mut weights: Vec<u64> = (0..ranks as u64).map(|rank| (1 << 36) / (rank + Self::SHIFT)).collect();
        let whole: u64 = weights.iter().sum();
        for weight in &mut weights {
            *weight *= ranks as u64;
        }
        let mut slots: Vec<(u64, u32)> = (0..ranks as u32).map(|rank| (1 << 32, rank)).collect();
        let (mut small, mut large): (Vec<usize>, Vec<usize>) =
            (0..ranks).partition(|rank| weights[*rank] < whole);
        while let (Some(poor), Some(&rich)) = (small.pop(), large.last()) {
            slots[poor] = (((u128::from(weights[poor]) << 32) / u128::from(whole)) as u64, rich as u32);
            weights[rich] -= whole - weights[poor];
            if weights[rich] < whole {
                large.pop();
                small.push(rich);
            }
        }
        Self { slots }
    }

    pub(super) fn rank(&self, random: &mut Random) -> usize {
        let drawn = random.next();
        let slot = (((drawn >> 32) * self.slots.len() as u64) >> 32) as usize;
        let (itself, alias) = self.slots[slot];
        if drawn & 0xffff_ffff < itself { slot } else { alias as usize }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_songs_are_there_twice_with_two_lengths_and_all_lengths_are_plausible() {
        let catalogue = Catalogue::new(false);
        let names: BTreeSet<_> = catalogue.songs.iter().map(|song| (&song.artist, &song.title)).collect();
        let twice = SONGS - names.len();
        assert!((50..600).contains(&twice), "{twice}");
        assert!(catalogue.songs.iter().all(|song| (60..i64::from(LONGEST)).contains(&song.seconds)));
    }

    #[test]
    fn many_artists_share_a_title_and_some_names_are_not_ascii_or_have_quotes() {
        let catalogue = Catalogue::new(false);
        let homes: BTreeSet<_> =
            catalogue.songs.iter().filter(|song| &*song.title == "Home").map(|song| &song.artist).collect();
        assert!(homes.len() > 10, "{}", homes.len());
        let count = |test: fn(&Song) -> bool| catalogue.songs.iter().filter(|song| test(song)).count();
        assert!(count(|song| !song.title.is_ascii() || !song.artist.is_ascii()) > SONGS / 20);
        assert!(count(|song| song.title.contains('"')) > SONGS / 100);
        assert!(count(|song| song.artist.contains('\\')) > 0);
    }

    #[test]
    fn mojibake_is_utf8_read_as_latin1_and_nothing_else_differs() {
        assert_eq!(&*utf8_read_as_latin1("Björka"), "BjÃ¶rka");
        for (clean, spoilt) in Catalogue::new(false).songs.iter().zip(&Catalogue::new(true).songs) {
            let bytes: Vec<u8> = spoilt.title.chars().map(|character| character as u8).collect();
            assert_eq!(String::from_utf8(bytes).unwrap(), *clean.title);
            assert!(clean.duration.to_bits() == spoilt.duration.to_bits());
        }
    }

    #[test]
    fn popularity_falls_with_the_rank() {
        let popularity = Popularity::new(SONGS);
        let mut random = Random::new(1);
        let mut played = vec![0_u32; SONGS];
        for _ in 0..1_000_000 {
            played[popularity.rank(&mut random)] += 1;
        }
        let share = |ranks: core::ops::Range<usize>| f64::from(played[ranks].iter().sum::<u32>()) / 1e6;
        assert!((share(0..100) - 0.30).abs() < 0.02, "{}", share(0..100));
        assert!((share(10_000..SONGS) - 0.094).abs() < 0.01, "{}", share(10_000..SONGS));
    }
}
