"""The front end: functions of the user, rewritten so that control flow is seen."""
