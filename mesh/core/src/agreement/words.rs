//! Parties as people read them.

use super::Party;

/// Such as `the consumer and the centre`.
pub(super) fn list(parties: &[Party]) -> String {
    let names: Vec<String> = parties.iter().map(|party| format!("the {party}")).collect();
    match &names[..] {
        [] => "nobody".into(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parties_are_listed() {
        assert_eq!(list(&[Party::Consumer]), "the consumer");
        assert_eq!(list(&Party::ALL), "the consumer, the provider, the secretariat and the centre");
    }
}
