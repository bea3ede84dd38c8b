//! Ctrl-C and SIGTERM in, a flag out.
//!
//! The first signal asks a command that runs for a time to come to its end: files are completed, the result is told, the exit code
//! is that of a run that ended by itself. A second one ends the process at once, with the code a shell gives it (128 + its
//! number). Guaranteed: nothing but the flag is touched while a signal is handled. SIGHUP is left alone: `nohup` has it ignored.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

/// Whether the end was asked for.
#[derive(Clone, Debug)]
pub(super) struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Takes over both signals, for the rest of the process.
    ///
    /// # Errors
    /// If the system does not let it.
    pub(super) fn listen() -> io::Result<Self> {
        let flag = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first signal finds the flag down, and then raises it.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&flag))?;
            flag::register(signal, Arc::clone(&flag))?;
        }
        Ok(Self(flag))
    }

    /// Whether a signal has come.
    pub(super) fn is_raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Waits for so long, or until a signal comes; whether one has.
    #[cfg(feature = "cluster")]
    pub(super) fn wait(&self, length: std::time::Duration) -> bool {
        use std::thread;
        use std::time::{Duration, Instant};

        /// How late a signal may be noticed.
        const STEP: Duration = Duration::from_millis(50);
        let begin = Instant::now();
        while !self.is_raised() {
            let rest = length.saturating_sub(begin.elapsed());
            if rest.is_zero() {
                return false;
            }
            thread::sleep(rest.min(STEP));
        }
        true
    }
}

#[cfg(all(test, unix, feature = "cluster"))]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_signal_raises_the_flag_and_nothing_else() {
        let interrupt = Interrupt::listen().expect("signals");
        assert!(!interrupt.is_raised());
        assert!(!interrupt.wait(Duration::from_millis(1)), "the time is over first");
        signal_hook::low_level::raise(SIGTERM).expect("a signal");
        assert!(interrupt.wait(Duration::from_mins(1)), "the signal came first");
    }
}
