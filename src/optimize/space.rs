//! What may be searched: parameters, their domains and conditions.

/// A value of a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Float(f64),
    Int(i64),
    Text(String),
}

/// What a parameter may be. Bounds are inclusive.
#[derive(Debug, Clone, PartialEq)]
pub enum Domain {
    /// `step`: only `low + k * step`. `log`: uniform in the logarithm; `low` must be positive then.
    Float { low: f64, high: f64, step: Option<f64>, log: bool },
    /// Only `low + k * step`.
    Int { low: i64, high: i64, step: i64, log: bool },
    /// One of several words without an order.
    Categorical { choices: Vec<String> },
}

/// A parameter counts only while another one has one of these values.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Index of the other parameter: always a smaller one.
    pub parent: usize,
    pub values: Vec<Value>,
}

/// One axis of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    pub name: String,
    pub domain: Domain,
    pub condition: Option<Condition>,
}

/// Values by parameter; `None` while a parameter's condition is not met.
pub type Params = Vec<Option<Value>>;

/// The parameters of a search, in order of declaration.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Space {
    parameters: Vec<Parameter>,
}

/// A space that cannot be searched.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SpaceError {
    #[error("the space has no parameter")]
    Empty,
}

impl Space {
    /// A space of these parameters.
    ///
    /// # Errors
    /// A space without parameters.
    pub fn new(parameters: Vec<Parameter>) -> Result<Space, SpaceError> {
        if parameters.is_empty() { Err(SpaceError::Empty) } else { Ok(Space { parameters }) }
    }

    /// In order of declaration.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Number of parameters.
    pub fn len(&self) -> usize {
        self.parameters.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.parameters.is_empty()
    }

    /// The parameters at a point of the unit cube (one coordinate a parameter, 0 to 1): every value of a
    /// discrete domain has an equal share of its axis. Coordinates of parameters that do not count are ignored.
    pub fn decode(&self, _unit: &[f64]) -> Params {
        todo!()
    }

    /// The point of the unit cube of these parameters: for a discrete value the middle of its share, for a
    /// parameter that does not count 0.5.
    pub fn encode(&self, _params: &Params) -> Vec<f64> {
        todo!()
    }
}
