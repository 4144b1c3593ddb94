//! The fuzzer's properties over its corpus, which holds what it has found, and over harmed copies of that: `npm run fuzz` goes on
//! from there.

#![cfg(not(target_arch = "wasm32"))]
#![allow(dead_code)]

#[path = "../fuzz/src/properties/mod.rs"]
mod properties;

use std::panic::catch_unwind;
use std::path::Path;

/// A generator of numbers below a bound, the same for the same seed.
fn random_from(mut state: u64) -> impl FnMut(usize) -> usize {
    move |bound| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % bound.max(1) as u64) as usize
    }
}

/// A copy with a few bytes taken out, doubled, changed or moved.
fn harmed(bytes: &[u8], random: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + random(3) {
        let at = random(bytes.len());
        match (random(5), bytes.get(at).copied()) {
            (_, None) => bytes.push(random(256) as u8),
            (0, _) => drop(bytes.remove(at)),
            (1, Some(byte)) => bytes.insert(at, byte),
            (2, _) => bytes[at] = random(256) as u8,
            (3, _) => bytes.truncate(at),
            (_, _) => {
                let to = at + random(bytes.len() - at);
                bytes.extend_from_within(at..to);
            }
        }
    }
    bytes
}

#[test]
fn what_the_fuzzer_found_stays_mended() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let seed = std::time::UNIX_EPOCH.elapsed().map_or(1, |time| time.as_nanos() as u64) | 1;
    let mut random = random_from(seed);
    for (name, target) in properties::TARGETS {
        let folder = corpus.join(name);
        let mut files: Vec<_> = std::fs::read_dir(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
            .map(|entry| entry.expect("an entry").path())
            .collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has a corpus");
        // Under Miri, which is a thousand times slower, the two smallest of each target.
        if cfg!(miri) {
            files.sort_by_key(|file| file.metadata().map_or(u64::MAX, |about| about.len()));
            files.truncate(2);
        }
        for file in files {
            let bytes = std::fs::read(&file).expect("a file");
            let told = |bytes: &[u8], how: &str| {
                let shown = String::from_utf8_lossy(bytes).into_owned();
                assert!(
                    catch_unwind(|| target(bytes)).is_ok(),
                    "{name}, {}, {how}: {shown:?}",
                    file.display()
                );
            };
            told(&bytes, "as it is");
            for _ in 0..if cfg!(miri) { 1 } else { 10 } {
                told(&harmed(&bytes, &mut random), &format!("harmed by seed {seed}"));
            }
        }
    }
}
