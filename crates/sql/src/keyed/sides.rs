//! The two sides of a join.

use datafusion::logical_expr::{Expr, Join, JoinType, LogicalPlan};

/// Where a side of a join stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum JoinSide {
    Left,
    Right,
}

impl JoinSide {
    /// This side of a join, and the other one.
    pub(super) fn of(self, node: &Join) -> (&LogicalPlan, &LogicalPlan) {
        match self {
            Self::Left => (&node.left, &node.right),
            Self::Right => (&node.right, &node.left),
        }
    }

    /// The other side.
    pub(super) fn other(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    /// The expressions that are equal in joined rows: of this side, and of the other one.
    pub(super) fn pairs(self, node: &Join) -> Vec<(Expr, Expr)> {
        let pairs = node.on.iter().cloned();
        match self {
            Self::Left => pairs.collect(),
            Self::Right => pairs.map(|(left, right)| (right, left)).collect(),
        }
    }

    /// Whether its rows are only looked up: those that find no row of the other side make none of the join's.
    pub(super) fn is_looked_up(self, node: &Join) -> bool {
        !node.null_aware
            && match node.join_type {
                JoinType::Inner => true,
                JoinType::Left | JoinType::LeftSemi | JoinType::LeftAnti | JoinType::LeftMark => {
                    self == Self::Right
                }
                JoinType::Right | JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => {
                    self == Self::Left
                }
                JoinType::Full => false,
            }
    }
}
