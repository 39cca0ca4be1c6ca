"""People: who may decide a suspended action, what they said, and what follows from it.

Nothing here reads a clock or a disk. Whatever changes a ticket is a seal: it is shown the ticket as it is while nobody
else can write, and what it makes is written together or not at all. So three clicks are one decision, and two claims
are one claim.
"""
