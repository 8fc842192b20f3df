package dev.cowbell.agent.schedule;

import java.util.HashMap;
import java.util.Map;

/** Counts how many runs of each job are going on, and admits no more than the job allows. */
final class Slots {

  private final Map<JobName, Integer> taken = new HashMap<>();

  /** Takes a slot if one is free; whoever got one gives it back. */
  synchronized boolean tryTake(JobName job, int limit) {
    int now = taken.getOrDefault(job, 0);
    if (now >= limit) {
      return false;
    }
    taken.put(job, now + 1);
    return true;
  }

  synchronized void giveBack(JobName job) {
    taken.computeIfPresent(job, (name, count) -> count == 1 ? null : count - 1);
  }
}
