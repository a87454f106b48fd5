// Context switch for x86-64 (System V). Only what a call must preserve is saved; mxcsr and the x87 control word are
// shared by all tasks of a thread, because saving them would cost as much as the rest.
//
// Returning by pop and jmp makes ping-pong faster (the return predictor would guess the other stack);
// `ret` is better for deep stacks that unwind right after a switch. LS_SWITCH_RET chooses it.
#if defined(__x86_64__)
	.text

	.p2align 4
	.globl ls__switch_context
	.hidden ls__switch_context
	.type ls__switch_context, @function
ls__switch_context: // (void **save, void *to)
	.cfi_startproc
	pushq %rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbp, 0
	pushq %rbx
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset rbx, 0
	pushq %r12
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r12, 0
	pushq %r13
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r13, 0
	pushq %r14
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r14, 0
	pushq %r15
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset r15, 0
	movq %rsp, (%rdi)
	movq %rsi, %rsp
	popq %r15
	.cfi_adjust_cfa_offset -8
	.cfi_restore r15
	popq %r14
	.cfi_adjust_cfa_offset -8
	.cfi_restore r14
	popq %r13
	.cfi_adjust_cfa_offset -8
	.cfi_restore r13
	popq %r12
	.cfi_adjust_cfa_offset -8
	.cfi_restore r12
	popq %rbx
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbx
	popq %rbp
	.cfi_adjust_cfa_offset -8
	.cfi_restore rbp
#ifdef LS_SWITCH_RET
	ret
#else
	popq %rcx
	.cfi_adjust_cfa_offset -8
	.cfi_register rip, rcx
	jmp *%rcx
#endif
	.cfi_endproc
	.size ls__switch_context, . - ls__switch_context

// The first frame of a task: rbx is the function, r12 its argument (see ls__context_make). There is no
// caller: the undefined return address makes debuggers and unwinders stop here.
	.p2align 4
	.globl ls__task_entry
	.hidden ls__task_entry
	.type ls__task_entry, @function
ls__task_entry:
	.cfi_startproc
	.cfi_undefined rip
	.cfi_undefined rbp
	movq %r12, %rdi
	xorl %ebp, %ebp
	call *%rbx
	ud2
	.cfi_endproc
	.size ls__task_entry, . - ls__task_entry
#endif

	.section .note.GNU-stack, "", %progbits
