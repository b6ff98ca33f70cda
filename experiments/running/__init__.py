"""Studies at scale: many jobs at once, going on after a run was broken off, running it again."""

from experiments.running.executor import Executor, JobError, JobLost, cpus_available, executor_of

__all__ = ["Executor", "JobError", "JobLost", "cpus_available", "executor_of"]
