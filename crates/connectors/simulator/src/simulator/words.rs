//! Words that names of artists and songs are made of. All artists and songs are invented.

#[rustfmt::skip]
pub(super) const ADJECTIVES: &[&str] = &[
    "Amber", "Ancient", "Bitter", "Black", "Blue", "Borrowed", "Brave", "Broken", "Burning", "Careless",
    "Cold", "Crooked", "Crystal", "Dark", "Distant", "Dizzy", "Drifting", "Electric", "Empty", "Endless",
    "Faded", "Falling", "Fearless", "Foreign", "Forgotten", "Fragile", "Frozen", "Gentle", "Ghostly",
    "Golden", "Green", "Hidden", "Hollow", "Holy", "Hungry", "Idle", "Iron", "Ivory", "Jaded", "Last", "Lazy",
    "Lonely", "Lost", "Loud", "Lucky", "Midnight", "Modern", "Naked", "Neon", "Nervous", "Northern", "Paper",
    "Patient", "Plastic", "Polite", "Quiet", "Radiant", "Reckless", "Red", "Restless", "Rising", "Rusty",
    "Sacred", "Scarlet", "Secret", "Shallow", "Silent", "Silver", "Simple", "Sleepless", "Slow", "Southern",
    "Spinning", "Static", "Stolen", "Strange", "Sudden", "Sweet", "Tender", "Thirsty", "Tired", "Velvet",
    "Violet", "Wandering", "Warm", "Wasted", "White", "Wicked", "Wild", "Wooden", "Yellow", "Young",
];

#[rustfmt::skip]
pub(super) const NOUNS: &[&str] = &[
    "Anchor", "Angel", "Arrow", "Ash", "Avenue", "Balloon", "Bell", "Bird", "Boat", "Bone", "Bridge",
    "Candle", "Canyon", "Carousel", "Castle", "Cathedral", "Chain", "Child", "Circle", "City", "Clock",
    "Cloud", "Coast", "Compass", "Crown", "Curtain", "Dance", "Daughter", "Dawn", "Desert", "Diamond", "Door",
    "Dream", "Dust", "Echo", "Engine", "Evening", "Eye", "Feather", "Fever", "Field", "Fire", "Flag",
    "Flower", "Forest", "Fortune", "Fountain", "Garden", "Ghost", "Giant", "Glass", "Harbor", "Heart",
    "Heaven", "Highway", "Hill", "Horizon", "Horse", "Hotel", "House", "Hurricane", "Island", "Jungle",
    "Kingdom", "Kiss", "Ladder", "Lake", "Lantern", "Letter", "Light", "Lightning", "Lion", "Machine", "Map",
    "Market", "Mask", "Meadow", "Memory", "Mercy", "Mile", "Mirror", "Moon", "Morning", "Mountain", "Needle",
    "Night", "Ocean", "Orchard", "Paradise", "Parade", "Pilot", "Planet", "Pocket", "Poison", "Promise",
    "Queen", "Radio", "Rain", "Raven", "River", "Road", "Rocket", "Room", "Rose", "Sailor", "Satellite",
    "Season", "Shadow", "Shelter", "Shore", "Signal", "Skin", "Sky", "Smoke", "Snow", "Soldier", "Spark",
    "Sparrow", "Spring", "Star", "Station", "Stone", "Storm", "Stranger", "Street", "Summer", "Sun",
    "Telephone", "Thief", "Thunder", "Ticket", "Tide", "Tiger", "Tower", "Traffic", "Train", "Tunnel",
    "Valley", "Village", "Voice", "Wall", "Water", "Wave", "Weekend", "Whale", "Wheel", "Whisper", "Window",
    "Winter", "Wire", "Wolf", "Wonder", "World", "Year",
];

#[rustfmt::skip]
pub(super) const VERBS: &[&str] = &[
    "Break", "Bring", "Burn", "Call", "Carry", "Catch", "Chase", "Count", "Cross", "Drive", "Fear", "Feel",
    "Fight", "Find", "Follow", "Forget", "Give", "Hear", "Hide", "Hold", "Keep", "Leave", "Lose", "Love",
    "Miss", "Move", "Need", "Open", "Paint", "Play", "Pull", "Remember", "Ride", "Save", "See", "Shake",
    "Sing", "Steal", "Stop", "Take", "Teach", "Touch", "Trust", "Turn", "Wake", "Watch",
];

#[rustfmt::skip]
pub(super) const ADVERBIALS: &[&str] = &[
    "Again", "All Night", "Alone", "Apart", "Away", "Before Dawn", "Down", "For Free", "Forever", "Home",
    "In Time", "Once", "Out Loud", "Over", "Slowly", "Someday", "Till Monday", "To The Sea", "Tonight",
    "Tomorrow", "Under Water", "With You", "Without You",
];

/// Titles that many artists use.
#[rustfmt::skip]
pub(super) const COMMON_TITLES: &[&str] = &[
    "Intro", "Home", "Untitled", "Stay", "Hold On", "Outro", "Interlude", "Runaway", "Gone", "Hello", "Alive",
    "Forever", "Closer", "Angel", "Breathe", "Sunday Morning", "Higher", "Crazy", "Lullaby", "Goodbye",
];

/// Words beyond ASCII, by which a reader of Latin-1 is found out.
#[rustfmt::skip]
pub(super) const FOREIGN_TITLES: &[&str] = &[
    "Canción", "Corazón", "Mañana", "Água", "São Vento", "Été", "Forêt", "Première Nuit", "Garçon",
    "Über Nacht", "Schöne Straße", "Grüße", "Ödemark", "Älskling", "Sjö", "Fjörður", "Þoka", "Kærlighed",
    "Sæson", "Łza", "Świt", "Noc Źródło", "Čas", "Tavaszi Szél Ősz", "Çiçek", "Gülüş", "Ночь", "Звезда",
    "Νύχτα", "夜の電車", "봄",
];

/// Names of bands that are hard on parsers: quotes, a backslash, commas, markup, other scripts.
#[rustfmt::skip]
pub(super) const ODD_ARTISTS: &[&str] = &[
    "Björka Lindmarksdóttir", "Sigur Þóra", "Motörwölfe", "Café Añil", "Zoë & The Naïves", "Møllegård Trio",
    "\"Crooked\" Jim Tally", "O'Dell's Brass", "Iron, Rain & Salt", "Back\\Slash", "Čáp Šedý",
    "Los Niños Del Río", "Ядро", "月の階段", "<Untagged>", "N'Diaré Söul", "The \"What\" Where", "Fünf Äpfel",
    "Ólafía Brún", "100% Linen",
];

#[rustfmt::skip]
pub(super) const FOREIGN_SURNAMES: &[&str] = &[
    "Ångdal", "Brännström", "Çelebi", "Dvořáček", "Eriksdóttir", "Fernández-Peña", "García Lluna", "Høyer",
    "Íñiguez", "Jóhannsdal", "Kräutler", "Łukasik", "Müllerin", "Nuñez Ría", "Østby", "Pérez Añejo",
    "Qvarnström", "Rêveur", "Sørbø", "Țepeșan", "Ünal", "Vârf", "Wäldchen", "Živko",
];
