// Keeps the page true without losing the place: parts are fetched again, and replaced where they changed.
const parts = ["running", "vms", "jobs", "ended"];

async function refresh() {
  if (document.hidden || location.pathname !== "/") return;
  try {
    const answer = await fetch("/", { cache: "no-store" });
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of parts) {
      const now = document.getElementById(id);
      const next = fresh.getElementById(id);
      if (now && next && now.innerHTML !== next.innerHTML) now.replaceWith(next);
    }
    document.querySelector(".now").textContent = fresh.querySelector(".now").textContent;
    document.body.classList.remove("lost");
  } catch (e) {
    document.querySelector(".now").textContent = "the agent does not answer";
    document.body.classList.add("lost");
  }
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-job]");
  if (!button) return;
  button.disabled = true;
  const answer = await fetch(`/jobs/${encodeURIComponent(button.dataset.job)}/run`, { method: "POST", headers: { "X-Cowbell": "1" } });
  button.textContent = answer.ok ? "started" : "failed";
  setTimeout(refresh, 500);
});

setInterval(refresh, 3000);
