//! The pages, and how a visitor gets from one to the next.

use super::random::Random;

/// Whether a visitor is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Auth {
    Guest,
    LoggedIn,
    LoggedOut,
    Cancelled,
}

impl Auth {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Guest => "Guest",
            Self::LoggedIn => "Logged In",
            Self::LoggedOut => "Logged Out",
            Self::Cancelled => "Cancelled",
        }
    }

    /// Whether events tell who the user is.
    pub(super) fn shows_user(self) -> bool {
        matches!(self, Self::LoggedIn | Self::Cancelled)
    }
}

/// What a user pays for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tier {
    Free,
    Paid,
}

impl Tier {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Paid => "paid",
        }
    }

    pub(super) fn other(self) -> Self {
        match self {
            Self::Free => Self::Paid,
            Self::Paid => Self::Free,
        }
    }
}

/// A page as a visitor of a kind sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageState {
    NextSong,
    Home,
    Settings,
    SaveSettings,
    Help,
    About,
    Upgrade,
    SubmitUpgrade,
    Downgrade,
    SubmitDowngrade,
    Error,
    Logout,
    Cancel,
    CancellationConfirmation,
    LoggedOutHome,
    LoggedOutHelp,
    LoggedOutAbout,
    LoggedOutError,
    Login,
    GuestHome,
    GuestHelp,
    GuestAbout,
    Register,
    SubmitRegistration,
}

/// Weights are of this many.
const WHOLE: u32 = 1000;

impl PageState {
    pub(super) fn page(self) -> &'static str {
        match self {
            Self::NextSong => "NextSong",
            Self::Home | Self::LoggedOutHome | Self::GuestHome => "Home",
            Self::Settings => "Settings",
            Self::SaveSettings => "Save Settings",
            Self::Help | Self::LoggedOutHelp | Self::GuestHelp => "Help",
            Self::About | Self::LoggedOutAbout | Self::GuestAbout => "About",
            Self::Upgrade => "Upgrade",
            Self::SubmitUpgrade => "Submit Upgrade",
            Self::Downgrade => "Downgrade",
            Self::SubmitDowngrade => "Submit Downgrade",
            Self::Error | Self::LoggedOutError => "Error",
            Self::Logout => "Logout",
            Self::Cancel => "Cancel",
            Self::CancellationConfirmation => "Cancellation Confirmation",
            Self::Login => "Login",
            Self::Register => "Register",
            Self::SubmitRegistration => "Submit Registration",
        }
    }

    pub(super) fn auth(self) -> Auth {
        match self {
            Self::CancellationConfirmation => Auth::Cancelled,
            Self::LoggedOutHome
            | Self::LoggedOutHelp
            | Self::LoggedOutAbout
            | Self::LoggedOutError
            | Self::Login => Auth::LoggedOut,
            Self::GuestHome
            | Self::GuestHelp
            | Self::GuestAbout
            | Self::Register
            | Self::SubmitRegistration => Auth::Guest,
            _ => Auth::LoggedIn,
        }
    }

    pub(super) fn method(self) -> &'static str {
        if self == Self::NextSong || self.redirects() { "PUT" } else { "GET" }
    }

    pub(super) fn status(self) -> i64 {
        match self {
            Self::Error | Self::LoggedOutError => 404,
            _ if self.redirects() => 307,
            _ => 200,
        }
    }

    /// Whether the page does something and sends the visitor on.
    pub(super) fn redirects(self) -> bool {
        matches!(
            self,
            Self::SaveSettings
                | Self::SubmitUpgrade
                | Self::SubmitDowngrade
                | Self::Logout
                | Self::Cancel
                | Self::Login
                | Self::SubmitRegistration
        )
    }

    /// Where a user's session starts.
    pub(super) fn first(random: &mut Random) -> Self {
        const FIRST: [(PageState, u32); 7] = [
            (PageState::NextSong, 525),
            (PageState::Home, 375),
            (PageState::LoggedOutHome, 55),
            (PageState::Login, 35),
            (PageState::About, 4),
            (PageState::Help, 4),
            (PageState::Error, 2),
        ];
        draw(&FIRST, random).unwrap_or(Self::Home)
    }

    /// The next page of a visitor who goes where chance leads; `None` ends the session.
    pub(super) fn next(self, level: Tier, random: &mut Random) -> Option<Self> {
        draw(self.transitions(level), random)
    }

    /// Pages with their weights of 1000; the rest of the weight ends the session.
    fn transitions(self, level: Tier) -> &'static [(Self, u32)] {
        use PageState as S;
        match (self, level) {
            (S::NextSong, Tier::Free) => &[
                (S::NextSong, 870),
                (S::Home, 27),
                (S::Logout, 10),
                (S::Help, 5),
                (S::Settings, 5),
                (S::Upgrade, 5),
                (S::About, 2),
                (S::Error, 1),
            ],
            (S::NextSong, Tier::Paid) => &[
                (S::NextSong, 930),
                (S::Home, 20),
                (S::Logout, 7),
                (S::Settings, 4),
                (S::Downgrade, 4),
                (S::Help, 3),
                (S::About, 1),
                (S::Error, 1),
            ],
            (S::Home, Tier::Free) => &[
                (S::NextSong, 790),
                (S::Settings, 20),
                (S::Logout, 18),
                (S::Home, 15),
                (S::Upgrade, 10),
                (S::Help, 8),
                (S::About, 4),
                (S::Error, 2),
            ],
            (S::Home, Tier::Paid) => &[
                (S::NextSong, 850),
                (S::Settings, 22),
                (S::Logout, 14),
                (S::Home, 12),
                (S::Downgrade, 8),
                (S::Help, 6),
                (S::About, 3),
                (S::Error, 2),
            ],
            (S::Settings, _) => &[
                (S::NextSong, 480),
                (S::SaveSettings, 260),
                (S::Home, 130),
                (S::Settings, 60),
                (S::Logout, 20),
            ],
            (S::Help, _) => {
                &[(S::NextSong, 680), (S::Home, 150), (S::Help, 60), (S::About, 30), (S::Settings, 20)]
            }
            (S::About, _) => &[(S::NextSong, 560), (S::Home, 220), (S::About, 60), (S::Help, 40)],
            (S::Upgrade, _) => &[(S::NextSong, 520), (S::Home, 280), (S::Upgrade, 50), (S::Help, 30)],
            (S::Downgrade, _) => &[(S::NextSong, 600), (S::Home, 220), (S::Downgrade, 50), (S::Help, 30)],
            (S::Error, _) => &[(S::NextSong, 450), (S::Home, 300)],
            (S::SaveSettings | S::SubmitUpgrade | S::SubmitDowngrade | S::SubmitRegistration, _) => {
                &[(S::Home, WHOLE)]
            }
            (S::Logout, _) => &[(S::LoggedOutHome, WHOLE)],
            (S::Login, _) => &[(S::Home, 900), (S::LoggedOutHome, 99), (S::LoggedOutError, 1)],
            (S::LoggedOutHome, _) => &[
                (S::Login, 720),
                (S::LoggedOutHome, 60),
                (S::LoggedOutAbout, 30),
                (S::LoggedOutHelp, 30),
                (S::LoggedOutError, 2),
            ],
            (S::LoggedOutHelp | S::LoggedOutAbout, _) => &[(S::Login, 500), (S::LoggedOutHome, 250)],
            (S::LoggedOutError, _) => &[(S::LoggedOutHome, 600), (S::Login, 150)],
            (S::GuestHome, _) => &[(S::GuestAbout, 450), (S::GuestHelp, 350), (S::GuestHome, 200)],
            (S::GuestHelp | S::GuestAbout | S::Register, _) => {
                &[(S::GuestHome, 600), (S::GuestAbout, 200), (S::GuestHelp, 200)]
            }
            (S::Cancel, _) => &[(S::CancellationConfirmation, WHOLE)],
            (S::CancellationConfirmation, _) => &[],
        }
    }
}

fn draw(weighted: &[(PageState, u32)], random: &mut Random) -> Option<PageState> {
    let mut left = random.below(WHOLE);
    for &(state, weight) in weighted {
        if left < weight {
            return Some(state);
        }
        left -= weight;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [PageState; 24] = [
        PageState::NextSong,
        PageState::Home,
        PageState::Settings,
        PageState::SaveSettings,
        PageState::Help,
        PageState::About,
        PageState::Upgrade,
        PageState::SubmitUpgrade,
        PageState::Downgrade,
        PageState::SubmitDowngrade,
        PageState::Error,
        PageState::Logout,
        PageState::Cancel,
        PageState::CancellationConfirmation,
        PageState::LoggedOutHome,
        PageState::LoggedOutHelp,
        PageState::LoggedOutAbout,
        PageState::LoggedOutError,
        PageState::Login,
        PageState::GuestHome,
        PageState::GuestHelp,
        PageState::GuestAbout,
        PageState::Register,
        PageState::SubmitRegistration,
    ];

    #[test]
    fn no_state_leaves_with_more_than_certainty() {
        for state in ALL {
            for level in [Tier::Free, Tier::Paid] {
                let sum: u32 = state.transitions(level).iter().map(|(_, weight)| weight).sum();
                assert!(sum <= WHOLE, "{state:?} {level:?}: {sum}");
                assert!(!state.redirects() || sum == WHOLE, "{state:?} redirects and may end");
            }
        }
    }

    #[test]
    fn chance_never_changes_a_level_registers_or_cancels() {
        for state in ALL {
            for level in [Tier::Free, Tier::Paid] {
                assert!(!state.transitions(level).iter().any(|(next, _)| matches!(
                    next,
                    PageState::SubmitUpgrade
                        | PageState::SubmitDowngrade
                        | PageState::SubmitRegistration
                        | PageState::Cancel
                )));
            }
        }
    }
}
