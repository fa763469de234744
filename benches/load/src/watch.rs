//! What the processes under test cost: CPU time and memory, from /proc.

use std::fs;
use std::time::Duration;

/// Processes with all their descendants.
#[derive(Clone, Debug)]
pub struct Watch(Vec<u32>);

/// At one moment.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// User and system time of all of them, of their dead children too.
    pub cpu: Duration,
    /// Resident memory; pages that children share are counted once for each.
    pub resident_kib: u64,
}

/// Ticks a second of the times in /proc/PID/stat (proc(5)); 100 on every Linux of today.
const TICKS: u64 = 100;

impl Watch {
    pub fn new(pids: &[u32]) -> Watch {
        Watch(pids.to_vec())
    }

    pub fn look(&self) -> anyhow::Result<Cost> {
        let mut cost = Cost::default();
        for pid in &self.0 {
            add(*pid, &mut cost).map_err(|error| anyhow::anyhow!("process {pid}: {error}"))?;
        }
        Ok(cost)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

fn add(pid: u32, cost: &mut Cost) -> anyhow::Result<()> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name in brackets may hold anything: fields are counted after it, beginning with the third.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    let ticks = field(14) + field(15) + field(16) + field(17);
    cost.cpu += Duration::from_millis(ticks * 1000 / TICKS);
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = resident.and_then(|rest| rest.split_whitespace().next()).and_then(|text| text.parse::<u64>().ok());
    cost.resident_kib += kib.unwrap_or(0);
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let children = fs::read_to_string(task?.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|text| text.parse().ok()) {
            // One that has just ended is counted by its parent.
            let _ = add(child, cost);
        }
    }
    Ok(())
}
