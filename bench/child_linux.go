package main

import (
	"os"
	"syscall"
)

// dieWithParent ends a child even when we are killed.
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}

// notRoot starts a child as nobody where we are root, and gives dir to it.
func notRoot(dir string) (*syscall.SysProcAttr, error) {
	attr := dieWithParent()
	attr.Pdeathsig = syscall.SIGQUIT // For PostgreSQL to end its own children.
	if os.Getuid() != 0 {
		return attr, nil
	}
	const nobody = 65534
	attr.Credential = &syscall.Credential{Uid: nobody, Gid: nobody}
	return attr, os.Chown(dir, nobody, nobody)
}
