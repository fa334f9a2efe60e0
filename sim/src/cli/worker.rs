//! Runs plans on a thread of its own that may panic: that is a violation of `no_panic`, and no end of the program, even where panics
//! abort. The thread that panicked never goes on, nor does it give back what it holds; another takes its place.

use super::report;
use quorate_sim::{Checks, Counters, Outcome, Plan, Seeded, Trial, Violation, run_until};
use std::cell::RefCell;
use std::sync::mpsc::{Receiver, Sender, channel};

/// What a run came to, and its nanoseconds of a processor.
type Answer = (Outcome, u64);
type Question = (Plan, Option<u64>);

thread_local! {
    /// Where this thread's answers go, if it is a worker.
    static ANSWERS: RefCell<Option<Sender<Answer>>> = const { RefCell::new(None) };
}

/// See the module's words.
pub(super) struct Worker {
    checks: Checks,
    /// After so much of a processor it is late.
    most_cpu_ns: u64,
    pub(super) cpu_ns: u64,
    thread: Option<(Sender<Question>, Receiver<Answer>)>,
}

impl Worker {
    pub(super) fn new(checks: Checks, most_cpu_ns: u64) -> Self {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let answers = ANSWERS.try_with(|answers| answers.take()).ok().flatten();
            let Some(answers) = answers else { return before(panic) };
            let violation = Some(Violation { checker: "no_panic", detail: panic.to_string() });
            let (counters, last_events) = (Counters::default(), Vec::new());
            // Whoever asked may be gone: then nobody waits.
            let _ = answers.send((Outcome { violation, trace_hash: 0, counters, last_events }, 0));
            loop {
                std::thread::park();
            }
        }));
        Worker { checks, most_cpu_ns, cpu_ns: 0, thread: None }
    }

    fn start(checks: Checks) -> std::io::Result<(Sender<Question>, Receiver<Answer>)> {
        let (ask, questions) = channel::<Question>();
        let (answer, answers) = channel();
        std::thread::Builder::new().name("run".to_string()).spawn(move || {
            ANSWERS.set(Some(answer.clone()));
            for (plan, until_ns) in questions {
                let cpu = report::cpu_nanos();
                let chooser = Box::new(Seeded { seed: plan.seed });
                let outcome = match until_ns {
                    Some(until_ns) => run_until(&plan, chooser, checks, until_ns),
                    None => quorate_sim::run_with(&plan, chooser, checks, None),
                };
                if answer.send((outcome, report::cpu_nanos() - cpu)).is_err() {
                    break;
                }
            }
        })?;
        Ok((ask, answers))
    }

    fn ask(&mut self, question: Question) -> Option<Answer> {
        if self.thread.is_none() {
            self.thread = Worker::start(self.checks).ok();
        }
        let (ask, answers) = self.thread.as_ref()?;
        ask.send(question).ok()?;
        answers.recv().ok()
    }
}

impl Trial for Worker {
    fn run(&mut self, plan: &Plan, until_ns: Option<u64>) -> Outcome {
        let answer = self.ask((plan.clone(), until_ns));
        let (outcome, cpu_ns) = answer.expect("a thread can be started, and answers even when it panics");
        if outcome.violation.as_ref().is_some_and(|violation| violation.checker == "no_panic") {
            self.thread = None;
        }
        self.cpu_ns += cpu_ns;
        outcome
    }

    fn is_late(&mut self) -> bool {
        self.cpu_ns > self.most_cpu_ns
    }
}
