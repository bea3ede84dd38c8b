//! Asks for memory before it is needed. The only module with `unsafe` in it.

/// Asks the processor to bring an element near, of one or two cache lines. Nothing else happens, also where there is no such
/// element or the processor is none that can be asked.
#[inline]
#[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "the processor's own instruction has no safe form"))]
pub(super) fn prefetch<T>(slice: &[T], position: usize) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing that the program sees and never faults, whatever the address (Intel's and AMD's manuals,
        // PREFETCHh); SSE, which it needs, is part of x86-64. The addresses are computed without being followed.
        let ask = |address: *const i8| unsafe { _mm_prefetch::<_MM_HINT_T0>(address) };
        let first = slice.as_ptr().wrapping_add(position);
        ask(first.cast());
        ask(first.wrapping_add(1).cast::<i8>().wrapping_sub(1));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (slice, position);
}
