//! What makes up a file, by example and by property.

use proptest::prelude::*;

use super::*;

const MIB: SizeBytes = 1024 * 1024;
const FREE: PartRules = PartRules::Free { max_size_bytes: 50 * MIB };

fn part(number: u16, size_bytes: SizeBytes) -> UploadedPart {
    UploadedPart {
        number: number.try_into().unwrap(),
        size_bytes,
        etag: format!("e{number}").parse().unwrap(),
    }
}

fn named(parts: &[UploadedPart]) -> NamedParts {
    parts.iter().map(|part| (part.number, part.etag.clone())).collect()
}

fn missing(assembled: Result<Vec<UploadedPart>, AssemblyError>) -> Vec<u16> {
    match assembled {
        Err(AssemblyError::Missing(missing)) => missing.into_iter().map(u16::from).collect(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn parts_that_were_cut_freely_are_whole_up_to_the_last() {
    let parts = vec![part(1, 6 * MIB), part(2, 5 * MIB), part(3, 1)];
    assert_eq!(FREE.assemble(parts.clone(), None), Ok(parts.clone()));
    assert_eq!(FREE.assemble(parts.clone(), Some(&named(&parts))), Ok(parts.clone()));
    // Whatever else was sent, the named parts are the file.
    assert_eq!(FREE.assemble(parts.clone(), Some(&named(&parts[..2]))), Ok(parts[..2].to_vec()));
    assert_eq!(missing(FREE.assemble(parts[..2].to_vec(), Some(&named(&parts)))), [3]);
    assert_eq!(missing(FREE.assemble(vec![part(1, 5 * MIB), part(3, 1)], None)), [2]);
    assert_eq!(missing(FREE.assemble(vec![part(1, 5 * MIB - 1), part(2, 1)], None)), [1]);
    assert_eq!(missing(FREE.assemble(Vec::new(), None)), [1]);
    assert_eq!(missing(FREE.assemble(Vec::new(), Some(&NamedParts::new()))), [1]);
    assert_eq!(missing(FREE.assemble(vec![part(1, 0)], None)), [1]);
}

#[test]
fn of_parts_without_a_signed_length_only_so_many_are_under_way() {
    let number = |number: u16| PartNumber::try_from(number).unwrap();
    assert_eq!(FREE.check_under_way(number(32), &[]), Ok(()));
    let ahead = FREE.check_under_way(number(33), &[]).map(|()| Vec::new());
    assert_eq!(missing(ahead), (1..=33).collect::<Vec<_>>());
    assert_eq!(FREE.check_under_way(number(33), &[part(7, MIB)]), Ok(()));
    // What is there is as long as a file may be; then it is longer.
    assert_eq!(FREE.check_under_way(number(2), &[part(1, 50 * MIB)]), Ok(()));
    let too_large = AssemblyError::TooLarge { size_bytes: 51 * MIB, max_size_bytes: 50 * MIB };
    assert_eq!(FREE.check_under_way(number(2), &[part(1, 51 * MIB)]), Err(too_large));
    let planned = PartRules::Planned(PartPlan::of(51 * MIB * 1024));
    assert_eq!(planned.check_under_way(number(1000), &[]), Ok(()));
}

#[test]
fn a_part_that_was_sent_again_since_is_not_the_named_one() {
    let sent = vec![part(1, 5 * MIB), part(2, 5 * MIB)];
    let mut since = sent.clone();
    since[1].etag = "other".parse().unwrap();
    let planned = PartRules::Planned(PartPlan::with_part_size(10 * MIB, 5 * MIB).unwrap());
    for rules in [FREE, planned] {
        assert_eq!(missing(rules.assemble(since.clone(), Some(&named(&sent)))), [2]);
        assert_eq!(rules.assemble(since.clone(), None), Ok(since.clone()));
    }
}

#[test]
fn all_planned_parts_are_named_and_others_are_left_out() {
    let planned = PartRules::Planned(PartPlan::with_part_size(10 * MIB, 5 * MIB).unwrap());
    let parts = vec![part(1, 5 * MIB), part(2, 5 * MIB), part(3, 1)];
    assert_eq!(planned.assemble(parts.clone(), None), Ok(parts[..2].to_vec()));
    assert_eq!(missing(planned.assemble(parts.clone(), Some(&named(&parts[..1])))), [2]);
    assert_eq!(planned.missing(&parts[..1]), [2.try_into().unwrap()]);
}

#[test]
fn there_are_no_more_parts_than_the_largest_file_has() {
    let most = |max_size_bytes, number: u16| {
        PartRules::Free { max_size_bytes }.find(number.try_into().ok()).map(|part| part.size_bytes)
    };
    assert_eq!(most(10 * MIB, 2), Ok(None));
    assert_eq!(most(10 * MIB, 3).unwrap_err().to_string(), "must be a part number from 1 to 2");
    assert!(most(10 * MIB, 0).is_err() && most(1, 1).is_ok() && most(1, 2).is_err());
    assert!(most(SizeBytes::MAX, 10_000).is_ok() && most(SizeBytes::MAX, 10_001).is_err());
}

proptest! {
    #[test]
    fn what_is_assembled_is_what_s3_joins(
        sizes in prop::collection::btree_map(1_u16..12, 0..12 * MIB, 0..8),
        names_last in prop::option::of(1_u16..12),
    ) {
        let uploaded: Vec<UploadedPart> = sizes.iter().map(|(number, size_bytes)| part(*number, *size_bytes)).collect();
        let named_parts = names_last.map(|last| (1..=last).map(|number| part(number, 1)).collect::<Vec<_>>());
        let named = named_parts.as_deref().map(named);
        match FREE.assemble(uploaded.clone(), named.as_ref()) {
            Ok(parts) => {
                let numbers: Vec<u16> = parts.iter().map(|part| part.number.into()).collect();
                let last = *numbers.last().unwrap();
                prop_assert_eq!(&numbers, &(1..=last).collect::<Vec<_>>());
                prop_assert_eq!(Some(last), names_last.or(sizes.keys().next_back().copied()));
                prop_assert!(parts.iter().all(|part| uploaded.contains(part)));
                let (last, others) = parts.split_last().unwrap();
                prop_assert!(last.size_bytes > 0 && others.iter().all(|part| part.size_bytes >= 5 * MIB));
                prop_assert!(total_size_bytes(&parts) <= 50 * MIB);
            }
            Err(AssemblyError::Missing(missing)) => {
                let last = names_last.or(sizes.keys().next_back().copied()).unwrap_or(1);
                let is_short = |number: u16| {
                    let shortest = if number == last { 1 } else { 5 * MIB };
                    sizes.get(&number).is_none_or(|size_bytes| *size_bytes < shortest)
                };
                let expected: Vec<u16> = (1..=last).filter(|number| is_short(*number)).collect();
                prop_assert_eq!(missing.into_iter().map(u16::from).collect::<Vec<_>>(), expected);
            }
            Err(AssemblyError::TooLarge { size_bytes, max_size_bytes }) => {
                prop_assert!(size_bytes > max_size_bytes && size_bytes <= sizes.values().sum::<u64>());
            }
        }
    }
}
