//go:build !linux

package main

import "syscall"

func dieWithParent() *syscall.SysProcAttr { return nil }

func notRoot(string) (*syscall.SysProcAttr, error) { return nil, nil }
