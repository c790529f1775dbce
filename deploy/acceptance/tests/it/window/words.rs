//! The words that the scenes wait for, as `scanner-app/ui/src/messages/` has them.

pub(super) struct Words {
    /// Its code, which is part of the pictures' names.
    pub(super) code: &'static str,
    /// On the key that chooses it.
    pub(super) name: &'static str,
    pub(super) settings: &'static str,
    pub(super) pair: &'static str,
    pub(super) ready: &'static str,
    pub(super) admit: &'static str,
    pub(super) used: &'static str,
    pub(super) unconfirmed: &'static str,
    pub(super) forged: &'static str,
    pub(super) not_here: &'static str,
    pub(super) not_yet: &'static str,
    pub(super) unreadable: &'static str,
    pub(super) locked: &'static str,
    pub(super) no_node: &'static str,
    pub(super) pair_again: &'static str,
    pub(super) history: &'static str,
}

pub(super) const ENGLISH: Words = Words {
    code: "en",
    name: "English",
    settings: "Settings",
    pair: "Pair",
    ready: "Ready",
    admit: "Enter",
    used: "Used",
    unconfirmed: "Used?",
    forged: "Fake",
    not_here: "Not here",
    not_yet: "Too early",
    unreadable: "Can’t read",
    locked: "Locked",
    no_node: "No node",
    pair_again: "Pair again",
    history: "Last scans",
};

pub(super) const FRENCH: Words = Words {
    code: "fr",
    name: "Français",
    settings: "Réglages",
    pair: "Associer",
    ready: "Prêt",
    admit: "Entrez",
    used: "Déjà entré",
    unconfirmed: "Entré\u{a0}?",
    forged: "Faux",
    not_here: "Pas ici",
    not_yet: "Trop tôt",
    unreadable: "Illisible",
    locked: "Bloqué",
    no_node: "Sans nœud",
    pair_again: "À associer",
    history: "Derniers scans",
};
