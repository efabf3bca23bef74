# SPDX-License-Identifier: GPL-2.0-or-later
"""Images that the lab boots, built from Debian packages and cached."""
