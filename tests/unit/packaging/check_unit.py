"""The systemd unit: exactly the capabilities that are needed, a good score, known settings."""

import os
import re
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
UNIT = os.path.join(HERE, "../../../packaging/systemd/loopscope.service")
NEEDED = "CAP_BPF CAP_PERFMON CAP_SYS_PTRACE CAP_DAC_READ_SEARCH"
WORST = 3.0  # of systemd-analyze security: 10 is without any protection

text = open(UNIT, encoding="utf-8").read()
failures = []
for key in ("AmbientCapabilities", "CapabilityBoundingSet"):
    if re.findall(rf"^{key}=(.*)$", text, re.M) != [NEEDED]:
        failures.append(f"{key} is not {NEEDED}")
score = None
if shutil.which("systemd-analyze"):
    out = subprocess.run(["systemd-analyze", "security", "--offline=true", "--no-pager", UNIT],
                         capture_output=True, text=True)
    match = re.search(r"exposure level for \S+: ([\d.]+)", out.stdout)
    score = float(match[1]) if match else None
    if match and score > WORST:
        failures.append(f"systemd-analyze security: {score}, above {WORST}")
    if "Unknown key" in out.stderr or "Failed to parse" in out.stderr:
        failures.append(out.stderr.strip())
print("\n".join(failures) or f"unit: four capabilities, exposure {score}")
sys.exit(1 if failures else 0)
