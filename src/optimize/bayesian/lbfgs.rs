//! Minimising a smooth function of several variables: argmin's L-BFGS under a budget of evaluations.

use std::cell::RefCell;

use argmin::core::{CostFunction, Error, Executor, Gradient, State};
use argmin::solver::linesearch::MoreThuenteLineSearch;
use argmin::solver::quasinewton::LBFGS;

/// Steps that the approximation of the Hessian remembers.
const MEMORY: usize = 8;

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Effort {
    /// Evaluations of function and gradient, at most.
    pub evaluations: usize,
    /// A step that gains less than this is the last one.
    pub tolerance: f64,
}

/// The lowest point seen from `start` on, and its value. `function` writes the gradient and returns the value;
/// it is called at most `effort.evaluations` times, in an order that depends on its answers alone.
pub(super) fn minimise(
    start: Vec<f64>,
    effort: Effort,
    function: impl FnMut(&[f64], &mut [f64]) -> f64,
) -> (Vec<f64>, f64) {
    let counted = Counted(RefCell::new(Evaluations {
        function,
        left: effort.evaluations,
        last: (Vec::new(), f64::NAN, Vec::new()),
        best: (start, f64::INFINITY),
    }));
    // A line search can fail far from a quadratic: then a fresh memory goes on from the best point. Errors of
    // the solver carry no information beyond that, and the best point has been kept here.
    loop {
        let (from, before) = counted.0.borrow().best.clone();
        let search = MoreThuenteLineSearch::new();
        let solver = LBFGS::new(search, MEMORY).with_tolerance_cost(effort.tolerance);
        let Ok(solver) = solver.and_then(|solver| solver.with_tolerance_grad(1e-9)) else { break };
        let iterations = effort.evaluations as u64;
        let run = Executor::new(&counted, solver).configure(|state| state.param(from).max_iters(iterations));
        let converged = run.ctrlc(false).run().is_ok_and(|result| {
            result.state.get_termination_reason() == Some(&argmin::core::TerminationReason::SolverConverged)
        });
        let now = counted.0.borrow();
        let gains = before.is_infinite() && now.best.1.is_finite() || before - now.best.1 > effort.tolerance;
        if converged || now.left == 0 || !gains {
            break;
        }
    }
    counted.0.into_inner().best
}

struct Evaluations<F> {
    function: F,
    left: usize,
    /// Point, value and gradient: the solver asks for the two separately.
    last: (Vec<f64>, f64, Vec<f64>),
    best: (Vec<f64>, f64),
}

struct Counted<F>(RefCell<Evaluations<F>>);

/// The budget is spent, or the function is not finite: the solver is stopped by an error.
#[derive(Debug, thiserror::Error)]
#[error("no further evaluation")]
struct Stopped;

impl<F: FnMut(&[f64], &mut [f64]) -> f64> Evaluations<F> {
    fn at(&mut self, point: &[f64]) -> Result<(), Stopped> {
        if self.last.0 == point {
            return Ok(());
        }
        if self.left == 0 {
            return Err(Stopped);
        }
        self.left -= 1;
        let mut gradient = vec![0.0; point.len()];
        let value = (self.function)(point, &mut gradient);
        if !value.is_finite() || !gradient.iter().all(|g| g.is_finite()) {
            return Err(Stopped);
        }
        if value < self.best.1 {
            self.best = (point.to_vec(), value);
        }
        self.last = (point.to_vec(), value, gradient);
        Ok(())
    }
}

impl<F: FnMut(&[f64], &mut [f64]) -> f64> CostFunction for &Counted<F> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, point: &Vec<f64>) -> Result<f64, Error> {
        let mut evaluations = self.0.borrow_mut();
        evaluations.at(point)?;
        Ok(evaluations.last.1)
    }
}

impl<F: FnMut(&[f64], &mut [f64]) -> f64> Gradient for &Counted<F> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, point: &Vec<f64>) -> Result<Vec<f64>, Error> {
        let mut evaluations = self.0.borrow_mut();
        evaluations.at(point)?;
        Ok(evaluations.last.2.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rosenbrock(x: &[f64], gradient: &mut [f64]) -> f64 {
        let (a, b) = (1.0 - x[0], x[1] - x[0] * x[0]);
        gradient[0] = -2.0 * a - 400.0 * x[0] * b;
        gradient[1] = 200.0 * b;
        a * a + 100.0 * b * b
    }

    #[test]
    fn the_valley_of_rosenbrock_is_followed_to_its_end() {
        let (point, value) = minimise(vec![-1.2, 1.0], Effort { evaluations: 200, tolerance: 1e-14 }, rosenbrock);
        assert!(value < 1e-10, "{value:e} at {point:?}");
    }

    #[test]
    fn the_budget_of_evaluations_holds() {
        let mut calls = 0;
        let (_, value) = minimise(vec![-1.2, 1.0], Effort { evaluations: 7, tolerance: 0.0 }, |x, gradient| {
            calls += 1;
            rosenbrock(x, gradient)
        });
        assert!(calls <= 7 && value < 24.2, "{calls} calls, {value}");
    }

    #[test]
    fn a_function_without_a_finite_value_ends_the_search() {
        let (point, value) = minimise(vec![0.5], Effort { evaluations: 10, tolerance: 0.0 }, |_, _| f64::NAN);
        assert_eq!((point, value), (vec![0.5], f64::INFINITY));
    }
}
