# SPDX-License-Identifier: GPL-2.0-or-later
"""Real Xen under QEMU: dom0 and guests of Debian, and the bench that tests run on."""
