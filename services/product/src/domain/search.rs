//! Search without regard to case.

/// The text as it is searched for and in: each letter in lower case by itself, whatever stands around it, so that a part
/// of a word folds as it does within the word.
#[must_use]
pub fn fold(text: &str) -> String {
    text.chars().flat_map(char::to_lowercase).map(|char| if char == 'ς' { 'σ' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_does_not_count_in_any_script() {
        for (one, other) in [("Mug", "mUG"), ("ÄPFEL", "äpfel"), ("ЧАЙ", "чай"), ("ΟΔΟΣ", "οδος"), ("ÉTÉ", "été")]
        {
            assert_eq!(fold(one), fold(other));
        }
        assert_eq!(fold("100% _\\"), "100% _\\");
    }

    #[test]
    fn a_part_folds_as_it_does_within_the_whole() {
        assert!(fold("ΟΔΟΣ ΑΘΗΝΑ").contains(&fold("οδοσ")));
    }
}
