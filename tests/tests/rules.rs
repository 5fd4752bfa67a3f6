//! The node's judgement of frames against a second one that shares no code with it.

use proptest::prelude::*;
use zt_tests::rules::{node, oracle, random};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn any_rules_mean_for_any_frame_what_the_specification_says(
        rules in random::rules(20),
        case in random::case(),
    ) {
        prop_assert_eq!(node::judge(&case, &rules), oracle::judge(&case, &rules));
    }
}
