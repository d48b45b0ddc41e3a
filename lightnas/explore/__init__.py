"""A local page on which a backbone is designed by hand: every setting is searched and proven.

``settings`` is what an address says, ``state`` what the page shows of it, both pure; ``drawing`` makes
HTML of it. ``jobs`` is the work, which a ``worker`` process does; ``workers`` are those, ``streams``
what each tab is told, ``server`` the page's address.
"""
