# SPDX-License-Identifier: GPL-2.0-or-later
"""Who has the processors first on a machine that is busy with other tests."""

import errno
from pathlib import Path


def go_first(pid):
    """As nice(1) with -5, for the leader of a session and all of that.

    With sched_autogroup_enabled processes of another session compete with it as one group, where
    nice(1) on either side has no effect (sched(7)).
    """
    try:
        Path(f"/proc/{pid}/autogroup").write_text("-5", encoding="ascii")
    except OSError as error:
        # No such file without autogroups; EPERM for who may not; EAGAIN twice in 0.1 s.
        if error.errno not in (errno.ENOENT, errno.EPERM, errno.EACCES, errno.EAGAIN):
            raise
