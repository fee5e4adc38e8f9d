package pgtest

import "syscall"

// endWithParent has the system end the process when this one is killed or panics.
func endWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGQUIT }
