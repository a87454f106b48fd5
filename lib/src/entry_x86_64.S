// The first frame of a task on x86-64. ls__context_make has put the function and its argument on the new stack.
//
// There is no caller: the undefined return address makes debuggers and unwinders stop here. The function is reached by jmp
// with a return address pushed by hand: a call would be one return too many for the return predictor, since a
// task ends by a switch (see context.h).
#if defined(__x86_64__)
	.text
	.p2align 4
	.globl ls__task_entry
	.hidden ls__task_entry
	.type ls__task_entry, @function
ls__task_entry:
	.cfi_startproc
	.cfi_undefined rip
	.cfi_undefined rbp
	popq %rax // the function
	.cfi_adjust_cfa_offset -8
	popq %rdi // its argument
	.cfi_adjust_cfa_offset -8
	xorl %ebp, %ebp
	leaq 1f(%rip), %rdx
	pushq %rdx
	.cfi_adjust_cfa_offset 8
	jmp *%rax
1:
	ud2
	.cfi_endproc
	.size ls__task_entry, . - ls__task_entry
#endif

	.section .note.GNU-stack, "", %progbits
