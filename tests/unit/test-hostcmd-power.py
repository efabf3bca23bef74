# SPDX-License-Identifier: GPL-2.0-or-later
"""What xenpv has guests do: shut down, reboot, freeze, thaw."""

import json
import signal

from control_rig import check
from hostcmd_rig import UUID, equal, guest, main

# shutdown and reboot


def asked(rig, command, word, domid=5):
    command.await_line("asked to ")
    equal(rig.read(domid, "control/shutdown"), word, "control/shutdown")


def shutdown_wait(rig):
    """The whole course, with the unit that holds it up."""
    guest(rig)
    command = rig.start("shutdown", "web1", "--wait")
    asked(rig, command, "poweroff")
    rig.nodes(5, {"control/shutdown": ""})
    command.await_line("has heard it")
    rig.nodes(5, {"data/xenpv/shutdown/unit": "slow.service",
                  "data/xenpv/shutdown/state": "stopping"})
    command.await_line(r"web1: stopping, held up by slow\.service")
    rig.nodes(5, {"data/xenpv/shutdown/seconds": "10.2"})
    rig.nodes(5, {"data/xenpv/shutdown/state": "stopped"})
    command.await_line("web1: stopped")
    rig.domain(5, "web1", shutdown=True, blocked=False, reason="poweroff")
    rig.nodes(5, {"data/xenpv/shutdown/state": "stopped"})
    command.await_line(r"stopped within 10\.2 s by its own clock")
    command.finish()
    equal(command.status, 0, "exit status")


def shutdown_gone(rig):
    """The toolstack was quicker than we: the domain is gone when we look."""
    guest(rig)
    rig.introduce(5)
    command = rig.start("shutdown", "web1", "--wait", "--json")
    rig.xen["domains"].pop()
    equal(rig.await_node(5, "control/shutdown"), "poweroff", "control/shutdown")
    rig.save()
    rig.release(5)
    out, _ = command.finish()
    result = json.loads(out)
    equal((command.status, result["result"], result["held_by"]), (0, "stopped", None), "result")


def shutdown_only_asked(rig):
    guest(rig)
    out, _ = rig.run("shutdown", "web1")
    check("asked to shut down" in out, out)
    equal(rig.read(5, "control/shutdown"), "poweroff", "control/shutdown")
    _, err = rig.run("shutdown", "web1", status=3)
    check("has been asked before and has not answered yet" in err, err)


def shutdown_timeout(rig):
    """It is slow: exit 6 names the unit. It is deaf: exit 7, and the request is withdrawn."""
    guest(rig)
    command = rig.start("shutdown", "web1", "--wait", "--timeout", "2")
    asked(rig, command, "poweroff")
    rig.nodes(5, {"control/shutdown": "", "data/xenpv/shutdown/unit": "slow.service",
                  "data/xenpv/shutdown/state": "stopping"})
    _, err = command.finish()
    equal(command.status, 6, "exit status")
    check("held up by slow.service; it may still finish" in err, err)
    # what a guest calls a number may be none of JSON's
    rig.nodes(5, {"data/xenpv/shutdown/state": "running", "data/xenpv/shutdown/seconds": "nan"})
    result = rig.json("shutdown", "web1", "--wait", "--timeout", "1", status=7)
    equal(result["guest_seconds"], None, "guest_seconds")
    equal(result["result"], "unanswered", "result")
    equal(rig.read(5, "control/shutdown"), "", "control/shutdown")


def shutdown_otherwise(rig):
    """A crash, a reboot: exit 8 and the reason."""
    guest(rig)
    command = rig.start("shutdown", "web1", "--wait")
    asked(rig, command, "poweroff")
    rig.domain(5, "web1", shutdown=True, blocked=False, reason="crash")
    rig.nodes(5, {"control/shutdown": ""})
    _, err = command.finish()
    equal(command.status, 8, "exit status")
    check("web1 has crashed instead" in err, err)
    rig.domain(6, "db1")
    command = rig.start("shutdown", "db1", "--wait")
    asked(rig, command, "poweroff", 6)
    rig.domain(9, "db1", uuid=UUID.format(6))
    rig.gone(6)
    rig.introduce(9)
    _, err = command.finish()
    equal(command.status, 8, "exit status")
    check("was to stop and has rebooted" in err, err)


def shutdown_refused(rig):
    guest(rig, paused=True, blocked=False)
    _, err = rig.run("shutdown", "web1", status=3)
    check("is paused and would not hear it" in err, err)
    rig.domain(6, "dead", shutdown=True, blocked=False, reason="crash")
    _, err = rig.run("reboot", "dead", status=3)
    check("dead is crashed; there is nothing to reboot" in err, err)
    rig.domain(7, "deaf", type="hvm")
    _, err = rig.run("shutdown", "deaf", status=3)
    check("control/feature-poweroff is not 1" in err, err)
    rig.nodes(7, {"control/feature-poweroff": "1"})
    rig.run("shutdown", "deaf")
    _, err = rig.run("shutdown", "0", status=3)
    check("is dom0, not a guest" in err, err)
    _, err = rig.run("shutdown", "web1", "--timeout", "5", status=2)
    check("--timeout without --wait" in err, err)


def reboot_wait(rig):
    guest(rig)
    command = rig.start("reboot", "web1", "--wait")
    asked(rig, command, "reboot")
    rig.nodes(5, {"control/shutdown": ""})
    command.await_line("has heard it")
    rig.domain(5, "web1", shutdown=True, blocked=False, reason="reboot")
    rig.nodes(5, {"data/xenpv/shutdown/state": "stopped"})
    command.await_line("has stopped to start again")
    rig.gone(5)
    rig.domain(8, "web1", uuid=UUID.format(5))
    rig.introduce(8)
    command.await_line("web1: started again as domain 8")
    command.finish()
    equal(command.status, 0, "exit status")


def interrupted(rig):
    guest(rig)
    command = rig.start("shutdown", "web1", "--wait")
    asked(rig, command, "poweroff")
    rig.nodes(5, {"control/shutdown": ""})
    command.await_line("has heard it")
    command.process.send_signal(signal.SIGINT)
    _, err = command.finish()
    equal(command.status, 1, "exit status")
    check("waits no longer" in err, err)


# freeze and thaw


def await_request(rig, domid=5):
    """What the host asks for in control/xenpv/freeze."""
    return rig.await_node(domid, "control/xenpv/freeze").split()


def answer(rig, number, state, **nodes):
    rig.store.rm("/local/domain/5/data/xenpv/freeze/state")
    nodes = {"id": number, **nodes, "state": state}
    rig.nodes(5, {f"data/xenpv/freeze/{key}": value for key, value in nodes.items()})


def freeze_thaw(rig):
    guest(rig)
    command = rig.start("freeze", "web1", "--seconds", "20")
    word, number, seconds = await_request(rig)
    equal((word, seconds, len(number)), ("freeze", "20", 16), "request")
    answer(rig, number, "freezing", seconds=10)
    answer(rig, number, "frozen", filesystems=3)
    command.await_line("web1: frozen, 3 file systems, for at most 10 s")
    command.finish()
    equal((command.status, rig.read(5, "control/xenpv/freeze")), (0, None), "end")
    _, err = rig.run("freeze", "web1", status=3)
    check("web1 is frozen already" in err, err)
    command = rig.start("thaw", "web1")
    equal(await_request(rig), ["thaw", number], "request")
    answer(rig, number, "thawed", reason="asked")
    command.await_line("web1: thawed")
    command.finish()
    equal(command.status, 0, "exit status")


def thaw_too_late(rig):
    """What the time limit thawed is no copy to be trusted."""
    guest(rig)
    answer(rig, "ab12", "frozen")
    command = rig.start("thaw", "web1", "--json")
    equal(await_request(rig), ["thaw", "ab12"], "request")
    answer(rig, "ab12", "thawed", reason="timeout")
    out, _ = command.finish()
    equal((command.status, json.loads(out)["reason"]), (1, "timeout"), "result")
    _, err = rig.run("thaw", "web1", status=3)
    check("web1 is not frozen; a time limit may have thawed it" in err, err)


def freeze_fails(rig):
    guest(rig)
    command = rig.start("freeze", "web1")
    _, number, _ = await_request(rig)
    answer(rig, "0000", "frozen")  # an answer to somebody else
    answer(rig, number, "failed", error="hook 10-db: exit 1")
    _, err = command.finish()
    equal(command.status, 1, "exit status")
    check("could not be frozen: hook 10-db: exit 1" in err, err)
    _, err = rig.run("freeze", "web1", "--timeout", "1", status=7)
    check("its agent did not answer" in err, err)
    equal(rig.read(5, "control/xenpv/freeze"), None, "the request")
    # one that was left behind by a command that was killed
    rig.nodes(5, {"control/xenpv/freeze": "freeze ab 30"})
    _, err = rig.run("freeze", "web1", status=3)
    check('web1 is being frozen already; wait, or run "xenpv thaw web1"' in err, err)
    rig.run("thaw", "web1", status=3)
    equal(rig.read(5, "control/xenpv/freeze"), None, "what was left behind")
    answer(rig, "../../etc", "frozen")
    _, err = rig.run("thaw", "web1", status=1)
    check("no id" in err, err)
    rig.domain(6, "bare")
    _, err = rig.run("freeze", "bare", status=3)
    check("bare has no agent that can freeze" in err, err)


main([shutdown_wait, shutdown_gone, shutdown_only_asked, shutdown_timeout,
      shutdown_otherwise, shutdown_refused, reboot_wait, interrupted, freeze_thaw,
      thaw_too_late, freeze_fails])
