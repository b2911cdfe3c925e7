//! Runs a target: makes inputs, watches the decoder, and tells how to see a failure again.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::dice::Dice;
use crate::mutate::{Shape, mutate};

/// One decoder of bytes from the network, and how to tell whether it did right.
#[derive(Debug)]
pub struct Target<V> {
    pub name: &'static str,
    /// What its inputs are made of, for damage that goes deeper than bytes.
    pub shape: Shape,
    /// A valid value.
    pub value: fn(&mut Dice) -> V,
    /// The encoding of a value; `None` if it is too large to be written.
    pub write: fn(&V) -> Option<Vec<u8>>,
    /// The decoder; `None` is a refusal.
    pub read: fn(&[u8]) -> Option<V>,
    /// Says which documented limit an accepted value exceeds.
    pub check: fn(&V) -> Result<(), String>,
}

/// How long a target runs, and with which inputs.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub seed: u64,
    pub rounds: u64,
}

/// What became of the inputs.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    pub accepted: u64,
    pub refused: u64,
}

/// An input that a decoder did wrong with.
#[derive(Clone, Debug)]
pub struct Failure {
    pub target: &'static str,
    pub plan: Plan,
    pub round: u64,
    pub input: Vec<u8>,
    pub wrong: String,
}

/// Inputs for each target unless `MESH_FUZZ_ROUNDS` says otherwise.
const ROUNDS_DEFAULT: u64 = 20_000;

/// Inputs that are kept to be damaged further, or joined with others.
const CORPUS_MAX: usize = 64;

/// Pieces of damage that one input gets at most.
const MUTATIONS_MAX: usize = 4;

/// From so many rounds on, a target must have accepted and refused something.
const TELLING_ROUNDS: u64 = 1_000;

impl Plan {
    /// What the environment asks for: `MESH_FUZZ_ROUNDS`, and `MESH_SEED` to see a run again.
    ///
    /// # Panics
    ///
    /// If either is there and no number.
    pub fn from_env() -> Self {
        let fresh = || {
            let since = SystemTime::now().duration_since(UNIX_EPOCH);
            since.map_or(0, |since| since.as_nanos() as u64)
        };
        Self {
            seed: number_from_env("MESH_SEED").unwrap_or_else(fresh),
            rounds: number_from_env("MESH_FUZZ_ROUNDS").unwrap_or(ROUNDS_DEFAULT),
        }
    }
}

fn number_from_env(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is {text:?}, want a number")))
}

impl<V: fmt::Debug + PartialEq> Target<V> {
    /// Runs as the environment asks.
    ///
    /// # Panics
    ///
    /// With all that is needed to see it again, if the decoder does anything wrong.
    pub fn hold(&self) {
        let plan = Plan::from_env();
        let tally = match self.run(plan) {
            Ok(tally) => tally,
            Err(failure) => panic!("{failure}"),
        };
        let Tally { accepted, refused } = tally;
        println!("{}: seed {}, {accepted} accepted, {refused} refused", self.name, plan.seed);
        let told = plan.rounds < TELLING_ROUNDS || (0 < accepted && 0 < refused);
        assert!(told, "{}: {tally:?} shows nothing", self.name);
    }

    /// Gives the decoder one input in each round.
    pub fn run(&self, plan: Plan) -> Result<Tally, Failure> {
        let mut dice = Dice::new(plan.seed);
        let mut corpus: Vec<Vec<u8>> = Vec::new();
        let mut tally = Tally::default();
        for round in 0..plan.rounds {
            let failed = |input: Vec<u8>, wrong: String| {
                let target = self.name;
                Failure { target, plan, round, input, wrong }
            };
            if corpus.len() < CORPUS_MAX || dice.one_in(8) {
                let (input, value) = self.valid(&mut dice);
                match self.judge(&input) {
                    Ok(Some(read)) if read == value => tally.accepted += 1,
                    Ok(read) => {
                        let wrong = format!("{value:?} was written, and reads as {read:?}");
                        return Err(failed(input, wrong));
                    }
                    Err(wrong) => return Err(failed(input, wrong)),
                }
                keep(&mut corpus, input, &mut dice);
                continue;
            }
            let mut input = dice.pick(&corpus).clone();
            for _ in 0..=dice.below(MUTATIONS_MAX) {
                let other = dice.pick(&corpus);
                input = mutate(self.shape, &input, other, &mut dice);
            }
            match self.judge(&input) {
                Ok(Some(_)) => {
                    tally.accepted += 1;
                    // What was damaged and is still accepted may lead further.
                    keep(&mut corpus, input, &mut dice);
                }
                Ok(None) => tally.refused += 1,
                Err(wrong) => return Err(failed(input, wrong)),
            }
        }
        Ok(tally)
    }

    fn valid(&self, dice: &mut Dice) -> (Vec<u8>, V) {
        loop {
            let value = (self.value)(dice);
            if let Some(input) = (self.write)(&value) {
                return (input, value);
            }
        }
    }

    /// Reads `input`, and holds what is accepted against the rules.
    fn judge(&self, input: &[u8]) -> Result<Option<V>, String> {
        let Some(value) = guarded("the decoder", || (self.read)(input))? else { return Ok(None) };
        (self.check)(&value).map_err(|wrong| format!("accepted {value:?}, but {wrong}"))?;
        let written = guarded("the encoder", || (self.write)(&value))?;
        let written = written.ok_or_else(|| format!("accepted {value:?}, which is unwritable"))?;
        match guarded("the decoder, of what was written again,", || (self.read)(&written))? {
            Some(again) if again == value => Ok(Some(value)),
            again => Err(format!("accepted {value:?}, which reads as {again:?} when written")),
        }
    }
}

/// Calls `step`, and tells a panic as an error.
fn guarded<T>(who: &str, step: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(step)).map_err(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        format!("{who} panicked: {}", text.unwrap_or("with a value that is no text"))
    })
}

fn keep(corpus: &mut Vec<Vec<u8>>, input: Vec<u8>, dice: &mut Dice) {
    if corpus.len() < CORPUS_MAX {
        corpus.push(input);
    } else {
        let place = dice.below(CORPUS_MAX);
        corpus[place] = input;
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { target, plan: Plan { seed, rounds }, round, input, wrong } = self;
        writeln!(f, "{target}: {wrong}")?;
        writeln!(f, "  see it again: MESH_SEED={seed} MESH_FUZZ_ROUNDS={rounds}, round {round}")?;
        write!(f, "  input: ")?;
        input.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
